//! Code objects.

use serde::Serialize;

/// A position in source, as `co_positions()` gives it. Columns are UTF-8 byte offsets from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Position {
    /// The line; `None` when the instruction has none.
    pub line: Option<i32>,
    /// The last line of the expression (3.11+).
    pub end_line: Option<i32>,
    /// First column (3.11+).
    pub column: Option<u32>,
    /// Column behind the last (3.11+).
    pub end_column: Option<u32>,
}
