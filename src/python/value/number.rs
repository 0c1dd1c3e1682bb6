//! Numbers: `int`, `bool`, `float`, `complex` (Objects/longobject.c, floatobject.c, complexobject.c).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
