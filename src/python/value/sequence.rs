//! `list`, `tuple`, `deque`, `array` and their kin.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
