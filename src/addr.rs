//! Addresses that cannot be mixed up: in the process ([`Addr`]), as stated in a file ([`Svma`]),
//! and program counters that know whether they are return addresses ([`Pc`]).

use serde::{Serialize, Serializer};
use std::fmt;

/// An address in the target process, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Addr(pub u64);

impl Addr {
    /// The NULL pointer.
    pub const NULL: Addr = Addr(0);

    /// Whether this is the NULL pointer.
    pub fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `by` bytes further. It wraps at the end of the address space, because a
    /// damaged pointer is an ordinary thing to meet; the read that follows fails cleanly.
    #[allow(clippy::should_implement_trait)] // `+` must not hide that it wraps
    pub fn add(self, by: u64) -> Addr {
        Addr(self.0.wrapping_add(by))
    }

    /// The address `by` bytes before, wrapping like [`Addr::add`].
    #[allow(clippy::should_implement_trait)] // likewise
    pub fn sub(self, by: u64) -> Addr {
        Addr(self.0.wrapping_sub(by))
    }

    /// The distance in bytes from `start`, or `None` when `self` lies before it.
    pub fn since(self, start: Addr) -> Option<u64> {
        self.0.checked_sub(start.0)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Addr {
    /// A hex string: JSON numbers lose precision above 2^53 in many readers.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An address as stated in an ELF file, before the loader moved the file by its bias.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Svma(pub u64);

impl fmt::Debug for Svma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "svma {:#x}", self.0)
    }
}

/// A program counter. A return address points behind the call, possibly into the next function
/// or line, so look-ups must use the byte before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pc {
    /// The very next instruction to run: the innermost frame, or one a signal interrupted.
    Exact(Addr),
    /// The instruction after a call.
    Return(Addr),
}

impl Pc {
    /// The value of the instruction pointer, as gdb prints it.
    pub fn addr(self) -> Addr {
        match self {
            Pc::Exact(addr) | Pc::Return(addr) => addr,
        }
    }

    /// The address to look up in symbol, line and unwind tables.
    pub fn lookup(self) -> Addr {
        match self {
            Pc::Exact(addr) => addr,
            Pc::Return(addr) => addr.sub(1),
        }
    }
}

impl Serialize for Pc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.addr().serialize(serializer)
    }
}
