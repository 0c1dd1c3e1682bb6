//! Named tuples, struct sequences, `SimpleNamespace`.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
