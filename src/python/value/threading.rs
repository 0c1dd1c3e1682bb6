//! Locks, threads, queues, weak references.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
