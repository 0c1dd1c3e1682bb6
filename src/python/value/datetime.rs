//! `datetime` and its kin (Modules/_datetimemodule.c), and their pure Python twins.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
