//! What a native frame is called: function, file and line, inlined frames, module.

use crate::addr::Addr;
use serde::Serialize;

/// One function at an address; an address inside inlined code has several, innermost first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Location {
    /// The demangled name; `None` when no symbol covers the address.
    pub function: Option<String>,
    /// Bytes from the symbol's start, when the name comes from a symbol table.
    pub offset: Option<u64>,
    /// The image's path.
    pub module: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
    /// Whether this function is inlined into the next location.
    pub inlined: bool,
    /// The address looked up.
    pub addr: Addr,
}
