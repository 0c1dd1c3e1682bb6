//! Modules, code objects, frames, tracebacks, generators, coroutines.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
