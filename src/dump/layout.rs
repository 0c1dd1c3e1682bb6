//! Where in the file everything of a core is: ELF header, program headers, notes, memory by address,
//! and at the end the notes that only pydbg writes, which a reader that takes the first PT_NOTE
//! never meets.

use super::plan::Segment;
use crate::target::Mapping;
use crate::target::write::{
    self, Extent, HEADER, Kind, PAGE, PROGRAM_HEADER, SECTION_HEADER, push_program_header,
};

/// Program headers beside those of memory: the notes, and the notes at the end.
const OTHERS: u64 = 2;

/// A segment with its place.
pub(super) struct Placed {
    /// What it has.
    pub(super) segment: Segment,
    /// Its permissions (PF_*).
    flags: u32,
    /// The offset of its first byte.
    pub(super) offset: u64,
}

/// Where everything is.
pub(super) struct Layout {
    /// The memory, by address.
    pub(super) segments: Vec<Placed>,
    /// The notes.
    notes: Extent,
    /// Behind the last byte of memory.
    end: u64,
}

impl Layout {
    /// Places the segments of each mapping behind notes of this size.
    pub(super) fn new(segments: Vec<(u32, Segment)>, notes: u64) -> Layout {
        let count = segments.len() as u64 + OTHERS;
        let notes = Extent {
            offset: HEADER + count * PROGRAM_HEADER,
            in_file: notes,
            ..Extent::default()
        };
        let mut end = (notes.offset + notes.in_file).next_multiple_of(PAGE);
        let place = |(flags, segment): (u32, Segment)| {
            let offset = end;
            end = end.saturating_add(segment.in_file);
            Placed {
                segment,
                flags,
                offset,
            }
        };
        let segments = segments.into_iter().map(place).collect();
        Layout {
            segments,
            notes,
            end,
        }
    }

    /// The bytes behind the memory: the notes of the end, and for more segments than a header can
    /// count a section header.
    pub(super) fn tail(&self, extra: &[u8]) -> Vec<u8> {
        let mut tail = extra.to_vec();
        if write::is_extended(self.count()) {
            tail.resize(tail.len().next_multiple_of(SECTION_HEADER as usize), 0);
            tail.extend(write::section_header(self.count()));
        }
        tail
    }

    /// The bytes before the memory; `extra` is the size of the notes at the end.
    pub(super) fn head(&self, notes: &[u8], extra: u64) -> Vec<u8> {
        let section_at = self.end + extra.next_multiple_of(SECTION_HEADER);
        let mut head = write::header(self.count(), section_at);
        push_program_header(&mut head, Kind::Note, &self.notes);
        for placed in &self.segments {
            let range = &placed.segment.range;
            let extent = Extent {
                offset: placed.offset,
                address: range.start,
                in_file: placed.segment.in_file,
                size: range.end - range.start,
            };
            push_program_header(&mut head, Kind::Load(placed.flags), &extent);
        }
        let extent = Extent {
            offset: self.end,
            in_file: extra,
            ..Extent::default()
        };
        match extra {
            0 => push_program_header(&mut head, Kind::Unused, &Extent::default()),
            _ => push_program_header(&mut head, Kind::Note, &extent),
        }
        head.extend_from_slice(notes);
        head
    }

    /// The offset behind the memory.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The bytes of memory that are stored.
    pub(super) fn stored(&self) -> u64 {
        let runs = self.segments.iter().flat_map(|placed| &placed.segment.runs);
        runs.map(|run| run.end - run.start).sum()
    }

    fn count(&self) -> u64 {
        self.segments.len() as u64 + OTHERS
    }
}

/// The permissions of a mapping as PF_* bits.
pub(super) fn flags(mapping: &Mapping) -> u32 {
    let bit = |has: bool, bit: u32| if has { bit } else { 0 };
    bit(mapping.read, 4) | bit(mapping.write, 2) | bit(mapping.execute, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Notes;
    use crate::target::Options;
    use crate::target::core;

    /// Opens what a layout of so many segments of a page each becomes.
    fn opened(count: u64, extra: &[u8]) -> (crate::target::Target, Vec<u8>) {
        let segment = |n: u64| Segment::without_bytes(n << 13..(n << 13) + PAGE);
        let segments = (1..=count).map(|n| (6, segment(n))).collect();
        let mut notes = Vec::new();
        write::push_note(&mut notes, "CORE", 1, &[0; 336]);
        let layout = Layout::new(segments, notes.len() as u64);
        let mut bytes = layout.head(&notes, extra.len() as u64);
        bytes.resize(layout.end() as usize, 0);
        bytes.extend(layout.tail(extra));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core");
        std::fs::write(&path, &bytes).unwrap();
        (core::open(&path, &Options::default()).unwrap(), bytes)
    }

    #[test]
    fn more_segments_than_a_header_can_count() {
        let mut extra = Vec::new();
        write::push_note(&mut extra, "pydbg", 0x7079_6462, b"what");
        for (count, extra) in [
            (3, &extra[..]),
            (65_532, &[]),
            (65_533, &extra),
            (70_000, &[]),
        ] {
            let (target, bytes) = opened(count, extra);
            assert_eq!(target.mappings.len() as u64, count);
            let notes: Notes = target.notes.clone();
            let texts: Vec<_> = notes.all().into_iter().map(|note| note.text).collect();
            let damaged = texts.iter().any(|text| text.contains("header"));
            assert!(!damaged, "{count}: {texts:?}");
            let short = u16::from_le_bytes([bytes[56], bytes[57]]);
            assert_eq!(short == 0xffff, count + OTHERS >= 0xffff);
        }
    }
}
