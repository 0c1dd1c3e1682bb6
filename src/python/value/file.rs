//! Files and sockets (Modules/_io, Modules/socketmodule.c).

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
