//! `bytes`, 2.7's `str`, `bytearray`, `memoryview` (Objects/bytesobject.c and its kin).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
