//! Functions, methods, builtins, descriptors, `partial`.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
