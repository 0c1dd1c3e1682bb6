//! Where in the file everything of a core is: ELF header, program headers, notes, memory by address,
//! and at the end the notes that only pydbg writes, which a reader that takes the first PT_NOTE
//! never meets.

use super::plan::Segment;
use crate::target::Mapping;
use crate::target::write::{
    self, Extent, HEADER, Kind, PAGE, PROGRAM_HEADER, SECTION_HEADER, push_program_header,
};
use std::ops::Range;

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
    /// How many more segments there may be.
    room: u64,
    /// Behind the last byte of memory.
    end: u64,
}

impl Placed {
    /// The parts of a segment before, in, and behind a range that begins in what it stores; `None` for
    /// any other range.
    fn split(&self, range: &Range<u64>) -> Option<(Option<Placed>, Placed, Placed)> {
        let whole = &self.segment.range;
        let stored = whole.start.saturating_add(self.segment.in_file);
        let start = range.start.max(whole.start);
        let end = range.end.min(stored);
        if start >= end || !start.is_multiple_of(PAGE) || !end.is_multiple_of(PAGE) {
            return None;
        }
        let part = |range: Range<u64>, in_file: u64| Placed {
            flags: self.flags,
            offset: self.offset + (range.start - whole.start),
            segment: Segment {
                in_file,
                runs: Vec::new(),
                from: self.segment.from,
                range,
            },
        };
        let before = (start > whole.start).then(|| part(whole.start..start, start - whole.start));
        Some((
            before,
            part(start..end, 0),
            part(end..whole.end, stored - end),
        ))
    }
}

impl Layout {
    /// Places the segments of each mapping behind notes of this size. There is room for so many more
    /// segments as [`Layout::leave_out`] may make.
    pub(super) fn new(segments: Vec<(u32, Segment)>, notes: u64, room: u64) -> Layout {
        let count = segments.len() as u64 + OTHERS;
        let notes = Extent {
            offset: HEADER + (count + room) * PROGRAM_HEADER,
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
            room,
            end,
        }
    }

    /// Takes ranges of whole pages, which are by address and apart, out of the segments that have them, as
    /// long as there is room for headers: each becomes a segment without bytes. Gives what was taken
    /// out, with where it is in the file.
    pub(super) fn leave_out(&mut self, ranges: &[Range<u64>]) -> Vec<(u64, Range<u64>)> {
        let mut out = Vec::new();
        let mut segments = Vec::with_capacity(self.segments.len());
        for mut placed in std::mem::take(&mut self.segments) {
            let first = ranges.partition_point(|range| range.end <= placed.segment.range.start);
            for range in ranges.iter().skip(first) {
                let Some((before, hole, behind)) = placed.split(range).filter(|_| self.room >= 2)
                else {
                    break;
                };
                self.room -= 2;
                out.push((hole.offset, hole.segment.range.clone()));
                segments.extend(before);
                segments.push(hole);
                placed = behind;
            }
            segments.push(placed);
        }
        segments.retain(|placed: &Placed| !placed.segment.range.is_empty());
        self.segments = segments;
        out
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
        head.resize(self.notes.offset as usize, 0);
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
    use crate::dump::plan::Via;
    use crate::target::Options;
    use crate::target::core;

    /// Opens what a layout of so many segments of a page each becomes.
    fn opened(count: u64, extra: &[u8]) -> (crate::target::Target, Vec<u8>) {
        let segment = |n: u64| Segment::without_bytes(n << 13..(n << 13) + PAGE);
        let segments = (1..=count).map(|n| (6, segment(n))).collect();
        let mut notes = Vec::new();
        write::push_note(&mut notes, "CORE", 1, &[0; 336]);
        let layout = Layout::new(segments, notes.len() as u64, 0);
        let mut bytes = layout.head(&notes, extra.len() as u64);
        bytes.resize(layout.end() as usize, 0);
        bytes.extend(layout.tail(extra));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core");
        std::fs::write(&path, &bytes).unwrap();
        (core::open(&path, &Options::default()).unwrap(), bytes)
    }

    #[test]
    fn ranges_are_left_out_while_there_is_room() {
        let page = |n: u64| n << 12;
        let segment = |from: u64, to: u64, stored: u64| {
            let range = page(from)..page(to);
            let mut segment = Segment::whole(range, Vec::new(), Via::Memory);
            segment.in_file = page(stored);
            (6, segment)
        };
        let segments = vec![segment(0x10, 0x20, 0x10), segment(0x30, 0x40, 8)];
        let mut layout = Layout::new(segments, 100, 6);
        let first = layout.segments[0].offset;
        let wanted = [(0x10, 0x12), (0x18, 0x1a), (0x1f, 0x31), (0x36, 0x38)];
        let wanted = wanted.map(|(from, to)| page(from)..page(to));
        let out = layout.leave_out(&wanted);
        let out: Vec<_> = (out.iter())
            .map(|(at, range)| ((at - first) >> 12, range.start >> 12, range.end >> 12))
            .collect();
        assert_eq!(out, [(0, 0x10, 0x12), (8, 0x18, 0x1a), (15, 0x1f, 0x20)]);
        let shape: Vec<_> = (layout.segments.iter())
            .map(|placed| {
                let range = &placed.segment.range;
                let in_file = placed.segment.in_file >> 12;
                (
                    range.start >> 12,
                    range.end >> 12,
                    in_file,
                    (placed.offset - first) >> 12,
                )
            })
            .collect();
        let wanted = [
            (0x10, 0x12, 0, 0),
            (0x12, 0x18, 6, 2),
            (0x18, 0x1a, 0, 8),
            (0x1a, 0x1f, 5, 10),
            (0x1f, 0x20, 0, 15),
            (0x30, 0x40, 8, 16),
        ];
        assert_eq!(shape, wanted);
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
