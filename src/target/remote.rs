//! Reading bytes out of another process: process_vm_readv(2), and /proc/PID/mem.
//!
//! While the process is stopped its id cannot be given to another one, and process_vm_readv is
//! the fastest way. While it runs it may end, start another program, or leave its id to somebody
//! else at any time; an open /proc/PID/mem stays with the very memory it was opened for and reads
//! as empty when that is gone, so it cannot hand out a stranger's bytes.

#![allow(unsafe_code)]

use super::crew::errno_of;
use super::proc::Task;
use nix::errno::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most pieces one call may name (`UIO_MAXIOV` in Linux include/uapi/linux/uio.h).
pub(super) const MOST_PIECES: usize = 1024;

/// A piece of the target's memory and the place of ours it goes to.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    /// Where to put it.
    pub(super) local: *mut u8,
    /// Its address in the target.
    pub(super) remote: u64,
    /// Its size in bytes.
    pub(super) len: usize,
}

/// The way into one process's memory.
pub(super) struct Remote {
    tid: i32,
    mem: Option<File>,
    /// process_vm_readv is not to be had (seccomp), so /proc/PID/mem serves always.
    refused: AtomicBool,
    /// Set before a process that was killed while it was held is let go: from then on its id may
    /// be another one's.
    lost: Arc<AtomicBool>,
}

impl Remote {
    /// Opens the memory of the process `task` belongs to; the thread should be one that is
    /// stopped. Why /proc/PID/mem could not be opened comes with it: then nothing but
    /// process_vm_readv is left. `lost` will say when the process has gone although it was held.
    pub(super) fn open(task: Task, lost: Arc<AtomicBool>) -> (Remote, Option<Errno>) {
        let mem = File::open(task.path("mem"));
        let problem = mem.as_ref().err().map(errno_of);
        let remote = Remote {
            tid: task.tid,
            mem: mem.ok(),
            refused: AtomicBool::new(false),
            lost,
        };
        (remote, problem)
    }

    /// Reads the pieces in order, up to the first byte that cannot be read; returns how many
    /// bytes were read, or why there was none. At most [`MOST_PIECES`] pieces.
    ///
    /// # Safety
    /// `local` of each piece must be valid for writing `len` bytes that nobody else accesses
    /// during the call.
    pub(super) unsafe fn gather(&self, pieces: &[Piece]) -> Result<usize, Errno> {
        if !self.refused.load(Ordering::Relaxed) {
            // SAFETY: the caller's promise, handed on.
            match unsafe { self.vm_readv(pieces) } {
                Err(Errno::EPERM | Errno::ENOSYS) if self.mem.is_some() => {
                    self.refused.store(true, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        let mut done = 0;
        for piece in pieces {
            // SAFETY: the caller's promise; the slice is dropped before the next piece.
            let buf = unsafe { std::slice::from_raw_parts_mut(piece.local, piece.len) };
            match self.read_file(piece.remote, buf) {
                Ok(()) => done += piece.len,
                Err((read, _)) if done + read > 0 => return Ok(done + read),
                Err((_, errno)) => return Err(errno),
            }
        }
        Ok(done)
    }

    /// Copies runs of bytes (address and size) one behind the other to `to`, up to the first byte
    /// that cannot be read; returns how many were read, or why there was none.
    pub(super) fn fill(&self, runs: &[(u64, usize)], to: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        let mut rest = to;
        for runs in runs.chunks(MOST_PIECES) {
            let mut pieces = Vec::with_capacity(runs.len());
            let mut wanted = 0;
            for (remote, len) in runs {
                let (piece, behind) = rest.split_at_mut_checked(*len).ok_or(Errno::EINVAL)?;
                pieces.push(Piece {
                    local: piece.as_mut_ptr(),
                    remote: *remote,
                    len: *len,
                });
                wanted += *len;
                rest = behind;
            }
            // SAFETY: the pieces are parts of `to` that do not overlap, and it is borrowed
            // exclusively during the call.
            match unsafe { self.gather(&pieces) } {
                Ok(read) if read < wanted => return Ok(done + read),
                Ok(read) => done += read,
                Err(_) if done > 0 => return Ok(done),
                Err(errno) => return Err(errno),
            }
        }
        Ok(done)
    }

    /// Fills `buf`; an error comes with the number of bytes before it. `running` chooses the way
    /// that is safe while the process runs.
    pub(super) fn read(
        &self,
        addr: u64,
        buf: &mut [u8],
        running: bool,
    ) -> Result<(), (usize, Errno)> {
        if running && self.mem.is_some() {
            return self.read_file(addr, buf);
        }
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let piece = Piece {
                local: rest.as_mut_ptr(),
                remote: addr.wrapping_add(done as u64),
                len: rest.len(),
            };
            // SAFETY: the piece is `rest`, which is borrowed exclusively during the call.
            match unsafe { self.gather(&[piece]) } {
                Ok(0) => return Err((done, Errno::EFAULT)),
                Ok(read) => done += read,
                Err(errno) => return Err((done, errno)),
            }
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Remote::gather`].
    unsafe fn vm_readv(&self, pieces: &[Piece]) -> Result<usize, Errno> {
        let vector = |base: *mut u8, len| libc::iovec {
            iov_base: base.cast(),
            iov_len: len,
        };
        let local: Vec<_> = pieces.iter().map(|p| vector(p.local, p.len)).collect();
        let remote: Vec<_> = pieces
            .iter()
            .map(|p| vector(p.remote as *mut u8, p.len))
            .collect();
        let count = local.len() as libc::c_ulong;
        // SAFETY: the kernel writes only to the pieces' own memory, which the caller vouches
        // for. The remote addresses are not ours and are checked by the kernel.
        let read = unsafe {
            libc::process_vm_readv(self.tid, local.as_ptr(), count, remote.as_ptr(), count, 0)
        };
        match Errno::result(read) {
            Ok(_) if self.lost.load(Ordering::Acquire) => Err(Errno::ESRCH),
            read => read.map(|read| read as usize),
        }
    }

    fn read_file(&self, addr: u64, buf: &mut [u8]) -> Result<(), (usize, Errno)> {
        let Some(mem) = &self.mem else {
            return Err((0, Errno::EBADF));
        };
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match mem.read_at(rest, addr.wrapping_add(done as u64)) {
                // The memory is gone with its process.
                Ok(0) => return Err((done, Errno::ESRCH)),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((done, errno_of(&error))),
            }
        }
        Ok(())
    }
}
