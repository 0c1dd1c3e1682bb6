//! numpy arrays and scalars.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
