//! Classes themselves (Objects/typeobject.c `type_repr`), and 2.7's old-style classes and instances.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
