//! The notes of a core.
