//! `set` and `frozenset` (Objects/setobject.c).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
