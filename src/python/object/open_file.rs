//! What a `FileIO` is open as: `fileio` of Modules/_io/fileio.c, {int fd; bit field …} behind the
//! header, probed in 2.7, 3.6 to 3.15 and 3.13t.

use super::Objects;
use crate::addr::Addr;
use crate::python::layout::FileBits;
use crate::target::Fault;

/// What a `FileIO` says of its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenFile {
    /// The file descriptor; negative once it is closed.
    pub fd: i32,
    /// Whether the file had to be new (`x`).
    pub created: bool,
    /// Whether it is read.
    pub readable: bool,
    /// Whether it is written.
    pub writable: bool,
    /// Whether it is written at its end (`a`).
    pub appending: bool,
    /// Whether it was emptied (`w`); only 3.15 remembers.
    pub truncated: bool,
    /// Whether the descriptor is closed with the object.
    pub closes: bool,
}

impl Objects {
    /// The state of a `FileIO`.
    pub fn open_file(&self, addr: Addr) -> Result<OpenFile, Fault> {
        let fd = self.memory.i32(self.after(addr, 0))?;
        let bits = self.memory.u32(self.after(addr, 4))?;
        let kind = self.layout.kinds.library.file_bits;
        let bits = match kind {
            FileBits::Plain => bits << 1,
            FileBits::Created | FileBits::Truncated => bits,
        };
        let is = |bit: u32| bits & bit != 0;
        let (truncated, closes) = match kind {
            FileBits::Truncated => (is(64), is(128)),
            FileBits::Plain | FileBits::Created => (false, is(64)),
        };
        Ok(OpenFile {
            fd,
            created: is(1),
            readable: is(2),
            writable: is(4),
            appending: is(8),
            truncated,
            closes,
        })
    }
}
