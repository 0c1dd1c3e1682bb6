//! attrs classes and pydantic models.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
