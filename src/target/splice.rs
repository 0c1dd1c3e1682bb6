//! A core's memory: the dumped bytes straight from the mapped core, and under them the pages the
//! core leaves out, from the very files that were mapped. A file is opened when a byte of it is
//! first wanted, and used only when it can be shown to be the same file.

use super::build_id::build_id_of;
use super::files::{FileProblem, Files, MappedFile, Place};
use super::memory::{Fault, Memory, Why};
use super::segments::{Backing, Piece, Source};
use crate::addr::Addr;
use crate::diag::Notes;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Zeros to lend for memory that was never written.
static ZEROS: [u8; 4096] = [0; 4096];
/// Files are mapped in pages: behind a file's end its last page is zero.
const PAGE: u64 = 4096;

/// The memory of a core.
pub(super) struct Splice {
    core: MappedFile,
    pieces: Vec<Piece>,
    backings: Vec<Backed>,
    files: Arc<Files>,
    notes: Notes,
    /// The piece of the last read: readers stay in one place for a while.
    last: AtomicUsize,
}

/// A file and, once it was wanted, its bytes.
struct Backed {
    backing: Backing,
    opened: OnceLock<Option<Arc<MappedFile>>>,
}

impl Splice {
    /// `pieces` are by address and apart.
    pub(super) fn new(
        core: MappedFile,
        pieces: Vec<Piece>,
        backings: Vec<Backing>,
        files: Arc<Files>,
        notes: Notes,
    ) -> Splice {
        let unopened = |backing| Backed {
            backing,
            opened: OnceLock::new(),
        };
        Splice {
            core,
            pieces,
            backings: backings.into_iter().map(unopened).collect(),
            files,
            notes,
            last: AtomicUsize::new(0),
        }
    }

    /// The index of the piece that holds `at`.
    fn find(&self, at: u64) -> Option<usize> {
        let holds = |piece: &Piece| piece.start <= at && at < piece.end;
        let last = self.last.load(Ordering::Relaxed);
        if self.pieces.get(last).is_some_and(holds) {
            return Some(last);
        }
        let index = self.pieces.partition_point(|piece| piece.end <= at);
        self.pieces.get(index).filter(|piece| holds(piece))?;
        self.last.store(index, Ordering::Relaxed);
        Some(index)
    }

    /// Fills `buf` from one piece, `skip` bytes into it.
    fn copy(&self, piece: &Piece, skip: u64, buf: &mut [u8]) -> Result<(), Why> {
        let copy = |bytes: &[u8], from: u64, buf: &mut [u8]| {
            let from = usize::try_from(from).ok()?;
            let source = bytes.get(from..from.checked_add(buf.len())?)?;
            buf.copy_from_slice(source);
            Some(())
        };
        match piece.source {
            Source::Core(offset) => {
                copy(self.core.bytes(), offset as u64 + skip, buf).ok_or(Why::Cut)
            }
            Source::Zeros => {
                buf.fill(0);
                Ok(())
            }
            Source::File(index, offset) => {
                let file = self.file(index).ok_or(Why::NotDumped)?;
                let (bytes, from) = (file.bytes(), offset.saturating_add(skip));
                let end = bytes.len() as u64;
                let behind = from.saturating_add(buf.len() as u64);
                if behind > end.next_multiple_of(PAGE) {
                    return Err(Why::NotDumped);
                }
                let inside = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX);
                let (inside, rest) = buf.split_at_mut(inside.min(buf.len()));
                rest.fill(0);
                match inside.is_empty() {
                    true => Ok(()),
                    false => copy(bytes, from, inside).ok_or(Why::NotDumped),
                }
            }
            Source::Cut => Err(Why::Cut),
            Source::Absent => Err(Why::NotDumped),
        }
    }

    /// The file with this index, opened and checked at the first call.
    fn file(&self, index: u32) -> Option<&MappedFile> {
        let backed = self.backings.get(index as usize)?;
        let opened = backed.opened.get_or_init(|| self.open(&backed.backing));
        opened.as_deref()
    }

    fn open(&self, backing: &Backing) -> Option<Arc<MappedFile>> {
        let page = backing.first_page.clone();
        let page = page.and_then(|range| self.core.bytes().get(range));
        let page = page.filter(|page| page.starts_with(b"\x7fELF"));
        let path = &backing.path;
        let wanted = page.and_then(build_id_of);
        let opened = self.files.open(path, wanted.as_deref());
        let reason = match (opened, page) {
            (Ok(file), _) if wanted.is_some() => return Some(file),
            (Ok(file), Some(page)) if file.bytes().starts_with(page) => {
                self.notes.info(format!(
                    "{path} has no build-id in the core; the file on disk is used because its \
                     first page is the same"
                ));
                return Some(file);
            }
            (Ok(_), Some(_)) => "its first page differs from the core's".to_owned(),
            (Ok(file), None) if matches!(file.place, Place::Exe | Place::Sysroot) => {
                self.notes.info(NAMED_UNCHECKED);
                return Some(file);
            }
            (Ok(_), None) => {
                if backing.code {
                    self.notes.partial(FOUND_UNCHECKED);
                }
                return None;
            }
            (Err(FileProblem::Missing), _) if backing.deleted => "it was deleted".to_owned(),
            (Err(problem), _) => problem.to_string(),
        };
        // Data files are left out in silence: whoever needs their bytes says so.
        if page.is_some() || backing.code {
            self.notes.partial(format!(
                "pages of {path} are neither in the core nor taken from disk: {reason}"
            ));
        }
        None
    }
}

/// Said once for all files that the user named and that cannot be checked.
const NAMED_UNCHECKED: &str = "files named by --exe and --sysroot are used unchecked, as the core \
                               holds no ELF headers of them to compare with";

/// Said once for all files that were found where the core says, and cannot be checked.
const FOUND_UNCHECKED: &str = "the core holds no ELF headers of mapped files (bit 4 of \
                               coredump_filter): the files on disk give names and unwind tables \
                               unchecked, but no memory (give --exe or --sysroot to use that too)";

impl Memory for Splice {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let mut at = addr.0;
        let mut rest = buf;
        while !rest.is_empty() {
            let fault = |why| Fault {
                addr: Addr(at),
                why,
            };
            let piece = self.find(at).and_then(|index| self.pieces.get(index));
            let piece = piece.ok_or(fault(Why::Unmapped))?;
            let here = usize::try_from(piece.end - at).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(here.min(rest.len()));
            self.copy(piece, at - piece.start, now).map_err(fault)?;
            // A piece ends below 2^64, so this cannot wrap before the next one is looked up.
            at = at.wrapping_add(now.len() as u64);
            rest = later;
        }
        Ok(())
    }

    fn borrow(&self, addr: Addr, len: usize) -> Option<&[u8]> {
        let piece = self.pieces.get(self.find(addr.0)?)?;
        if (piece.end - addr.0) < len as u64 {
            return None;
        }
        let skip = usize::try_from(addr.0 - piece.start).ok()?;
        let part = |bytes: &'_ [u8], offset: usize| {
            let from = offset.checked_add(skip)?;
            Some(from..from.checked_add(len)?).filter(|range| range.end <= bytes.len())
        };
        match piece.source {
            Source::Core(offset) => {
                let bytes = self.core.bytes();
                bytes.get(part(bytes, offset)?)
            }
            Source::File(index, offset) => {
                let bytes = self.file(index)?.bytes();
                bytes.get(part(bytes, usize::try_from(offset).ok()?)?)
            }
            Source::Zeros => ZEROS.get(..len),
            Source::Cut | Source::Absent => None,
        }
    }

    fn expect_all(&self) {
        self.core.expect_all();
    }

    fn runs(&self, start: Addr, end: Addr) -> Vec<(Addr, Addr)> {
        let first = self.pieces.partition_point(|piece| piece.end <= start.0);
        let pieces = self.pieces.iter().skip(first);
        pieces
            .take_while(|piece| piece.start < end.0)
            .filter(|piece| matches!(piece.source, Source::Core(_)))
            .map(|piece| (Addr(piece.start.max(start.0)), Addr(piece.end.min(end.0))))
            .collect()
    }
}
