//! Exceptions as `repr` writes them (Objects/exceptions.c).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
