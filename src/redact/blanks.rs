//! What is to be blanked, and blanking it in the file.

use crate::addr::Addr;
use crate::native::Process;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What stands for a character.
const MARK: u8 = b'*';

/// Bytes that are written at once.
const AT_ONCE: u64 = 1 << 20;

/// What is put in the place of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fill {
    /// Zeros.
    Zeros,
    /// Marks of so many bytes each.
    Marks(u64),
    /// Marks, but where there is a zero.
    MarksBetweenZeros,
}

/// Runs of memory that are to be blanked.
pub(super) struct Blanks<'p> {
    process: &'p Process,
    runs: Vec<(Range<u64>, Fill)>,
}

impl<'p> Blanks<'p> {
    pub(super) fn new(process: &'p Process) -> Blanks<'p> {
        Blanks {
            process,
            runs: Vec::new(),
        }
    }

    /// Blanks characters of so many bytes each, unless they are the program's own.
    pub(super) fn marks(&mut self, start: Addr, len: u64, width: u64) {
        if self.is_data(start) {
            self.add(start, len, Fill::Marks(width));
        }
    }

    /// Blanks texts that zeros end.
    pub(super) fn marks_between_zeros(&mut self, start: Addr, len: u64) {
        self.add(start, len, Fill::MarksBetweenZeros);
    }

    /// Overwrites memory by zeros.
    pub(super) fn zeros(&mut self, start: Addr, len: u64) {
        self.add(start, len, Fill::Zeros);
    }

    /// Whether what is there was not put there by the file of a program or library.
    pub(super) fn is_data(&self, at: Addr) -> bool {
        let mapping = self.process.target.mapping(at);
        let anonymous = mapping.is_some_and(|mapping| mapping.write && mapping.file().is_none());
        anonymous && self.process.images.at(at).is_none()
    }

    fn add(&mut self, start: Addr, len: u64, fill: Fill) {
        if let Some(end) = start.0.checked_add(len).filter(|end| *end > start.0) {
            self.runs.push((start.0..end, fill));
        }
    }

    /// Blanks it all, where the file has it.
    pub(super) fn write(&self, file: &File) -> io::Result<()> {
        let dumped = self.process.target.dumped();
        for (run, fill) in &self.runs {
            let first = dumped.partition_point(|piece| piece.range.end <= run.start);
            let pieces = dumped.iter().skip(first);
            for piece in pieces.take_while(|piece| piece.range.start < run.end) {
                let part = piece.range.start.max(run.start)..piece.range.end.min(run.end);
                let at = piece.offset + (part.start - piece.range.start);
                // A mark may begin in a piece before.
                let skip = part.start - run.start;
                fill.write(file, at, part.end - part.start, skip)?;
            }
        }
        Ok(())
    }
}

impl Fill {
    fn write(self, file: &File, at: u64, len: u64, skip: u64) -> io::Result<()> {
        let mut buffer = Vec::new();
        let mut done = 0;
        while done < len {
            let count = (len - done).min(AT_ONCE);
            buffer.resize(count as usize, 0);
            file.read_exact_at(&mut buffer, at + done)?;
            let changed = self.apply(&mut buffer, skip + done);
            if changed {
                file.write_all_at(&buffer, at + done)?;
            }
            done += count;
        }
        Ok(())
    }

    /// Whether that changes anything; holes in the file are zeros, and shall stay holes.
    fn apply(self, buffer: &mut [u8], skip: u64) -> bool {
        let mut changed = false;
        for (place, byte) in (skip..).zip(buffer) {
            let blank = match self {
                Fill::Zeros => 0,
                Fill::Marks(width) if place % width.max(1) == 0 => MARK,
                Fill::Marks(_) => 0,
                Fill::MarksBetweenZeros if *byte == 0 => 0,
                Fill::MarksBetweenZeros => MARK,
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
        assert_eq!(&filled(Fill::MarksBetweenZeros, 0), b"**\0*****");
    }
}
