//! Line tables: lnotab, 3.10, 3.11+.
