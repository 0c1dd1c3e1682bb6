//! torch tensors on the CPU.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
