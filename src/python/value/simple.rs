//! `None`, `Ellipsis`, `NotImplemented`, `range`, `slice`, cells.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
