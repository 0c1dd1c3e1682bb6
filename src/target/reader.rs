//! Reading a live process past what is kept of it: large copies, which are needed once.

use super::remote::Remote;
use crate::addr::Addr;
use nix::errno::Errno;

/// The way into the memory of a process that stands still.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pid: i32,
    remote: &'a Remote,
}

impl<'a> Reader<'a> {
    /// Of the process with this id.
    pub(super) fn new(pid: i32, remote: &'a Remote) -> Reader<'a> {
        Reader { pid, remote }
    }

    /// The process's id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Copies runs of bytes, each given by its address and size, one behind the other to `to`;
    /// returns how many bytes there are before the first that cannot be read.
    pub fn copy(&self, runs: &[(u64, usize)], to: &mut [u8]) -> Result<usize, Errno> {
        self.remote.fill(runs, to)
    }

    /// The same for one run in a mapping that the process itself may not read.
    pub fn copy_forbidden(&self, addr: Addr, to: &mut [u8]) -> Result<(), Errno> {
        let copied = self.remote.read(addr.0, to, true);
        copied.map_err(|(_, errno)| errno)
    }
}
