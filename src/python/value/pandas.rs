//! pandas Series and DataFrames.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
