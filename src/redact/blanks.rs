//! Runs of memory that are blanked, and blanking them in the file: by address, each byte once, and
//! where the file has a hole it stays one.

use crate::target::dumped::{Dumped, within};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What stands for a character.
const MARK: u8 = b'*';

/// Bytes of the file that are read at once.
const WINDOW: u64 = 1 << 20;

/// Bytes of a page: what is written at least.
const PAGE: usize = 4096;

/// What is put in the place of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Fill {
    /// Zeros.
    Zeros,
    /// Marks of so many bytes each.
    Marks(u8),
    /// Marks, but where there is a zero.
    BetweenZeros,
    /// Marks, but for pages that have nothing but zeros.
    Pages,
}

/// A run of memory that is blanked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Run {
    /// Its first address.
    pub(super) start: u64,
    /// The first behind it.
    pub(super) end: u64,
    /// With what.
    pub(super) fill: Fill,
}

impl Run {
    /// A run of so many bytes; none where that is nothing, or more than there are addresses.
    pub(super) fn of(start: u64, len: u64, fill: Fill) -> Option<Run> {
        let end = start.checked_add(len).filter(|end| *end > start)?;
        Some(Run { start, end, fill })
    }
}

/// Sorts runs, and leaves of each what those before it do not have: a damaged length may lead over
/// many others, and each byte is blanked once.
fn apart(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_unstable();
    let mut behind = 0;
    runs.retain_mut(|run| {
        run.start = run.start.max(behind);
        let some = run.start < run.end;
        behind = behind.max(run.end);
        some
    });
    runs
}

/// Blanks runs where the file has them.
pub(super) fn write(file: &File, dumped: &[Dumped], runs: Vec<Run>) -> io::Result<()> {
    let mut window = Window::new(file)?;
    for run in apart(runs) {
        for piece in within(dumped, run.start..run.end) {
            let mut at = piece.range.start;
            let end = piece.range.end;
            while at < end {
                let offset = piece.offset.saturating_add(at - piece.range.start);
                let done = window.apply(offset, end - at, run.fill, at - run.start)?;
                if done == 0 {
                    break;
                }
                at += done;
            }
        }
    }
    window.flush()
}

/// A part of the file that is being changed.
struct Window<'f> {
    file: &'f File,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
    /// Which pages are changed.
    changed: Vec<bool>,
}

impl Window<'_> {
    fn new(file: &File) -> io::Result<Window<'_>> {
        Ok(Window {
            file,
            len: file.metadata()?.len(),
            start: 0,
            bytes: Vec::new(),
            changed: Vec::new(),
        })
    }

    /// Blanks up to so many bytes from an offset on, as far as the window reaches; how many it were.
    fn apply(&mut self, offset: u64, len: u64, fill: Fill, skip: u64) -> io::Result<u64> {
        let start = offset - offset % WINDOW;
        if start != self.start || self.bytes.is_empty() {
            self.flush()?;
            let count = self.len.saturating_sub(start).min(WINDOW);
            self.bytes.resize(count as usize, 0);
            self.file.read_exact_at(&mut self.bytes, start)?;
            self.changed = vec![false; self.bytes.len().div_ceil(PAGE)];
            self.start = start;
        }
        let from = (offset - start) as usize;
        let rest = self.bytes.len().saturating_sub(from) as u64;
        let count = rest.min(len) as usize;
        let mut at = from;
        while at < from + count {
            let end = (at + 1).next_multiple_of(PAGE).min(from + count);
            let skip = skip.wrapping_add((at - from) as u64);
            let part = self.bytes.get_mut(at..end).unwrap_or_default();
            if fill.apply(part, skip)
                && let Some(changed) = self.changed.get_mut(at / PAGE)
            {
                *changed = true;
            }
            at = end;
        }
        Ok(count as u64)
    }

    /// Writes the pages that are changed.
    fn flush(&mut self) -> io::Result<()> {
        let mut page = 0;
        for group in self.changed.chunk_by(|a, b| a == b) {
            let (from, to) = (page * PAGE, (page + group.len()) * PAGE);
            page += group.len();
            let bytes = self.bytes.get(from..to.min(self.bytes.len()));
            if let Some(bytes) = bytes.filter(|_| group.first() == Some(&true)) {
                self.file.write_all_at(bytes, self.start + from as u64)?;
            }
        }
        self.changed.fill(false);
        Ok(())
    }
}

impl Fill {
    /// Blanks what lies in one page; whether that changes anything.
    fn apply(self, bytes: &mut [u8], skip: u64) -> bool {
        let is_zero = bytes.iter().all(|byte| *byte == 0);
        let stays = matches!(self, Fill::Zeros | Fill::BetweenZeros | Fill::Pages);
        if is_zero && stays {
            return false;
        }
        let mut changed = false;
        for (place, byte) in (skip..).zip(bytes) {
            let blank = match self {
                Fill::Zeros => 0,
                Fill::Marks(width) if place % u64::from(width.max(1)) == 0 => MARK,
                Fill::Marks(_) => 0,
                Fill::BetweenZeros if *byte == 0 => 0,
                Fill::BetweenZeros | Fill::Pages => MARK,
            };
            changed |= *byte != blank;
            *byte = blank;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills() {
        let filled = |fill: Fill, skip| {
            let mut bytes = *b"ab\0cdefg";
            assert!(fill.apply(&mut bytes, skip));
            assert!(!fill.apply(&mut bytes, skip));
            bytes
        };
        assert_eq!(&filled(Fill::Zeros, 0), b"\0\0\0\0\0\0\0\0");
        assert_eq!(&filled(Fill::Marks(1), 3), b"********");
        assert_eq!(&filled(Fill::Marks(4), 2), b"\0\0*\0\0\0*\0");
        assert_eq!(&filled(Fill::BetweenZeros, 0), b"**\0*****");
        assert_eq!(&filled(Fill::Pages, 0), b"********");
        assert!(!Fill::Pages.apply(&mut [0; 8], 0));
    }

    #[test]
    fn each_byte_is_blanked_once() {
        let run = |start, end| Run {
            start,
            end,
            fill: Fill::Zeros,
        };
        let all = vec![run(5, 6), run(3, 20), run(1, 4), run(20, 21), run(7, 30)];
        let apart = apart(all);
        assert_eq!(apart, [run(1, 4), run(4, 20), run(20, 30)], "by address");
    }

    #[test]
    fn runs_go_over_pieces_and_windows() {
        let file = tempfile::tempfile().unwrap();
        let len = WINDOW as usize + 3 * PAGE;
        file.write_all_at(&vec![b'x'; len], 0).unwrap();
        let piece = |start, len, offset| Dumped {
            range: start..start + len,
            offset,
        };
        let dumped = [
            piece(0x1000, 0x1000, 0x1000),
            piece(0x10_0000, WINDOW, 0x2000),
        ];
        let run = |start, len| Run::of(start, len, Fill::Marks(2)).unwrap();
        let wanted = vec![
            run(0x1f00, 0x1000),
            run(0x10_0000 + WINDOW - 0x2004, 0x1_0000),
            run(0x900_0000, u64::MAX - 0x900_0000),
        ];
        write(&file, &dumped, wanted).unwrap();
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let changed: Vec<usize> = (0..len).filter(|at| bytes[*at] != b'x').collect();
        let second = WINDOW as usize - 4;
        let wanted: Vec<usize> = (0x1f00..0x2000).chain(second..second + 0x2004).collect();
        assert_eq!(changed, wanted);
        assert_eq!(&bytes[second..second + 4], b"*\0*\0");
    }
}
