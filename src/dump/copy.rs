//! Copies the memory of a stopped process into its core. Two threads take blocks that fit into a
//! processor's own cache, so that what one reads from the process is still there when it is
//! written, and reading and writing go on at once. Where there is memory for it, blocks are kept
//! there first and written when the process goes on.

use super::DumpError;
use super::blocks::{BLOCK, Block, Piece};
use super::place::Unfinished;
use super::plan::Via;
use super::stage::Stage;
use crate::addr::Addr;
use crate::diag::{Cancel, Progress, Step, Unit};
use crate::target::reader::Reader;
use nix::errno::Errno;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

/// How many threads copy.
const THREADS: usize = 2;
/// Bytes of a page.
const PAGE: usize = 4096;
/// How many blocks are copied between two words on how far it has come.
const TELL_EVERY: usize = 64;

/// A file that is mapped to be shared, from which memory is copied.
pub(super) struct Shared {
    /// It, open for reading.
    pub(super) file: File,
    /// The address at which its first byte would be mapped.
    pub(super) base: u64,
}

/// What copying needs.
pub(super) struct Copier<'a> {
    /// The way to the memory.
    pub(super) reader: Reader<'a>,
    /// The core.
    pub(super) out: &'a Unfinished<'a>,
    /// The files that [`Via::File`] means.
    pub(super) files: &'a [Shared],
    /// Where blocks are kept until the process goes on.
    pub(super) stage: &'a Stage,
    /// Ends the work.
    pub(super) cancel: &'a Cancel,
    /// Hears how far it is.
    pub(super) progress: &'a Progress,
    /// What is done, in words.
    pub(super) what: &'a str,
    /// The process's id.
    pub(super) pid: i32,
}

/// How the work of all threads stands.
#[derive(Default)]
struct State {
    next: AtomicUsize,
    /// Somebody has failed.
    over: AtomicBool,
    unreadable: AtomicU64,
}

impl Copier<'_> {
    /// Copies everything that is in these blocks; gives the number of bytes that could not be read
    /// and are zeros now.
    pub(super) fn copy(&self, blocks: &[Block]) -> Result<u64, DumpError> {
        let state = State::default();
        together(|| {
            let result = self.take(blocks, &state);
            if result.is_err() {
                state.over.store(true, Ordering::Relaxed);
            }
            result
        })?;
        Ok(state.unreadable.into_inner())
    }

    /// Copies one block after the other.
    fn take(&self, blocks: &[Block], state: &State) -> Result<(), DumpError> {
        let mut buffer = vec![0; BLOCK];
        while !state.over.load(Ordering::Relaxed) {
            let number = state.next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(number) else {
                break;
            };
            if self.cancel.is_cancelled() {
                return Err(DumpError::Interrupted);
            }
            if number.is_multiple_of(TELL_EVERY) {
                self.progress.tell(&Step {
                    what: self.what,
                    done: (number * BLOCK) as u64,
                    total: Some((blocks.len() * BLOCK) as u64),
                    unit: Unit::Bytes,
                });
            }
            let unreadable = match self.keep(number, block)? {
                true => 0,
                false => self.block(block, &mut buffer)?,
            };
            state.unreadable.fetch_add(unreadable, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies a block to memory; whether that could be done.
    fn keep(&self, number: usize, block: &Block) -> Result<bool, DumpError> {
        let Some(mut slot) = self
            .stage
            .slot(number)
            .filter(|_| block.from == Via::Memory)
        else {
            return Ok(false);
        };
        let runs: Vec<_> = block.pieces.iter().map(|p| (p.address, p.len)).collect();
        let len = block.len();
        let to = slot.bytes.get_mut(..len).unwrap_or_default();
        match self.reader.copy(&runs, to) {
            Ok(read) if read == len => {
                slot.filled = len;
                Ok(true)
            }
            Err(Errno::ESRCH) => Err(self.died()),
            _ => Ok(false),
        }
    }

    /// Copies a block; gives the bytes that could not be read.
    fn block(&self, block: &Block, buffer: &mut [u8]) -> Result<u64, DumpError> {
        match block.from {
            Via::Memory => {
                let runs: Vec<_> = block.pieces.iter().map(|p| (p.address, p.len)).collect();
                let len = block.len();
                let whole = buffer.get_mut(..len).unwrap_or_default();
                match self.reader.copy(&runs, whole) {
                    Ok(read) if read == len => store(self.out, &block.pieces, buffer).map(|()| 0),
                    Err(Errno::ESRCH) => Err(self.died()),
                    _ => self.page_by_page(block, buffer),
                }
            }
            Via::Forbidden => self.page_by_page(block, buffer),
            Via::File(index) => {
                let shared = self.files.get(index);
                for piece in &block.pieces {
                    let part = buffer.get_mut(..piece.len).unwrap_or_default();
                    // What lies behind the end of the file is zeros.
                    let read = shared.map_or(0, |shared| read_at(&shared.file, part, piece.within));
                    let read = part.get(..read).unwrap_or_default();
                    self.out.write_sparse(read, piece.offset)?;
                }
                Ok(0)
            }
        }
    }

    /// Copies a block of which some page cannot be read as others are.
    fn page_by_page(&self, block: &Block, buffer: &mut [u8]) -> Result<u64, DumpError> {
        let mut unreadable = 0;
        let page = buffer.get_mut(..PAGE).unwrap_or_default();
        for piece in &block.pieces {
            for done in (0..piece.len).step_by(PAGE) {
                let address = piece.address.wrapping_add(done as u64);
                let read = match block.from {
                    Via::Forbidden => self.reader.copy_forbidden(Addr(address), page),
                    Via::Memory | Via::File(_) => {
                        match self.reader.copy(&[(address, PAGE)], page) {
                            Ok(PAGE) => Ok(()),
                            Ok(_) => Err(Errno::EFAULT),
                            Err(errno) => Err(errno),
                        }
                    }
                };
                match read {
                    Ok(()) => {
                        let offset = piece.offset.wrapping_add(done as u64);
                        self.out.write_sparse(page, offset)?;
                    }
                    Err(Errno::ESRCH) => return Err(self.died()),
                    Err(_) => unreadable += PAGE as u64,
                }
            }
        }
        Ok(unreadable)
    }

    fn died(&self) -> DumpError {
        DumpError::Died(self.pid)
    }
}

/// Writes the blocks that were kept in memory, which is given back.
pub(super) fn write_kept(
    out: &Unfinished<'_>,
    stage: &Stage,
    blocks: &[Block],
    cancel: &Cancel,
) -> Result<(), DumpError> {
    let next = AtomicUsize::new(0);
    together(|| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((block, mut slot)) = blocks.get(number).zip(stage.slot(number)) else {
                return Ok(());
            };
            if cancel.is_cancelled() {
                return Err(DumpError::Interrupted);
            }
            let bytes = std::mem::take(&mut slot.bytes);
            if slot.filled > 0 {
                store(out, &block.pieces, &bytes)?;
            }
        }
    })
}

/// Has several threads do the same work.
fn together(work: impl Fn() -> Result<(), DumpError> + Sync) -> Result<(), DumpError> {
    thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(&work)).collect();
        let own = work();
        let others = others.into_iter().map(|thread| {
            let result = thread.join();
            result.unwrap_or_else(|panic| resume_unwind(panic))
        });
        others.fold(own, Result::and)
    })
}

/// Writes what was read, where it goes: pieces that follow each other there in one go.
fn store(out: &Unfinished<'_>, pieces: &[Piece], buffer: &[u8]) -> Result<(), DumpError> {
    let mut rest = buffer;
    let touch = |a: &Piece, b: &Piece| a.offset.checked_add(a.len as u64) == Some(b.offset);
    for group in pieces.chunk_by(touch) {
        let len = group.iter().map(|piece| piece.len).sum();
        let (bytes, behind) = rest.split_at_checked(len).unwrap_or_default();
        let offset = group.first().map_or(0, |piece| piece.offset);
        out.write_sparse(bytes, offset)?;
        rest = behind;
    }
    Ok(())
}

/// Reads as much as there is.
fn read_at(file: &File, to: &mut [u8], at: u64) -> usize {
    let mut done = 0;
    while let Some(rest) = to.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.wrapping_add(done as u64)) {
            Ok(0) | Err(_) => break,
            Ok(read) => done += read,
        }
    }
    done
}
