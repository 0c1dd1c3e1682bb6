//! Strings (Objects/unicodeobject.c `unicode_repr`), and 2.7's `unicode`.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
