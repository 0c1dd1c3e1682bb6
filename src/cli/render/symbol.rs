//! Names for addresses and addresses for names.

use pydbg::Addr;
use pydbg::native::{Location, Process};
use pydbg::unwind::NativeFrame;

/// The functions at a frame's pc, innermost inlined one first.
pub fn locations(process: &Process, frame: &NativeFrame) -> Vec<Location> {
    let _ = (process, frame);
    Vec::new()
}

/// A symbol near an address.
pub struct Near {
    /// The demangled name.
    pub name: String,
    /// Bytes from its start.
    pub offset: u64,
    /// The section it lies in.
    pub section: Option<String>,
    /// The image's path.
    pub module: String,
}

impl Near {
    /// `<name+4>`, as gdb writes it behind an address.
    pub fn bracketed(&self) -> String {
        match self.offset {
            0 => format!("<{}>", self.name),
            offset => format!("<{}+{offset}>", self.name),
        }
    }
}

/// The symbol that covers `addr`.
pub fn near(process: &Process, addr: Addr) -> Option<Near> {
    let _ = (process, addr);
    None
}

/// The address of the symbol `name`.
pub fn named(process: &Process, name: &str) -> Option<Addr> {
    let _ = (process, name);
    None
}
