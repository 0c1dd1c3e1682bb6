//! `re.Pattern`, `re.Match` (Modules/_sre.c).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
