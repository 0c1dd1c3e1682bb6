//! `Decimal`, `Fraction` (Modules/_decimal, Lib/fractions.py).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
