//! Offsets and kinds of one CPython build, each with its source.

/// Every offset used, with its source.
pub struct Layout {}
