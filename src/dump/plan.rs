//! Which bytes of a process go into its core. Mirrors `vma_dump_size` of Linux fs/coredump.c, but
//! goes by pages: what was never written is neither touched nor stored.

use super::filter::Filter;
use crate::target::Mapping;
use crate::target::pages::{PAGE, PageRun};
use crate::target::smaps::Smap;
use std::ops::Range;

/// Memory without bytes that is longer than this becomes a segment of its own, so that the core
/// does not become longer than a file may be.
const LONG_GAP: u64 = 64 << 20;
/// Pages of a file between two that were written are stored with them up to this many bytes.
const SHORT_GAP: u64 = 1 << 20;
/// The most bytes of a file that is gone which are stored although they were not written.
const MOST_OF_GONE_FILE: u64 = 256 << 20;

/// What of a mapping is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// Nothing.
    Nothing,
    /// What the process has written; where there is none and the flag is set, the first page of an
    /// ELF file.
    Written {
        /// Take the first page of an ELF file.
        head: bool,
    },
    /// The pages that there are.
    Present,
    /// Every byte.
    Whole,
    /// Every byte there is in the file that is shared.
    Shared,
}

/// What of a mapping is wanted.
pub(super) fn wanted(mapping: &Mapping, known: &Smap, filter: Filter) -> Wanted {
    let name = mapping.path.as_deref().unwrap_or_default();
    let of_file = !name.is_empty() && !name.starts_with('[');
    let take = |wanted: bool, what| if wanted { what } else { Wanted::Nothing };
    match name {
        "[vdso]" => return Wanted::Whole,
        "[vsyscall]" => return Wanted::Nothing,
        _ if known.device || known.undumpable || name.starts_with("[vvar") => {
            return Wanted::Nothing;
        }
        _ => {}
    }
    match (mapping.shared, known.huge) {
        (true, true) => return take(filter.shared_huge(), Wanted::Present),
        (false, true) => return take(filter.huge(), Wanted::Present),
        (true, false) if mapping.deleted || !of_file => {
            return take(filter.shared(), Wanted::Shared);
        }
        (true, false) => return take(filter.shared_files(), Wanted::Shared),
        (false, false) => {}
    }
    // No other has the pages of a file that is gone.
    let gone = mapping.deleted && mapping.len() <= MOST_OF_GONE_FILE;
    if of_file && (filter.files() || gone) {
        return Wanted::Whole;
    }
    let head = of_file && filter.heads() && mapping.offset == 0 && mapping.read;
    match filter.anonymous() || head {
        true => Wanted::Written { head },
        false => Wanted::Nothing,
    }
}

/// How the bytes of a segment are got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Via {
    /// As any debugger reads memory.
    Memory,
    /// From memory that the process itself may not read.
    Forbidden,
    /// From the file with this index.
    File(usize),
}

/// A piece of a mapping as the core has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    /// Its addresses.
    pub(super) range: Range<u64>,
    /// How many of its bytes the core has.
    pub(super) in_file: u64,
    /// What of these is stored; the rest are zeros.
    pub(super) runs: Vec<Range<u64>>,
    /// How to get it.
    pub(super) from: Via,
}

impl Segment {
    /// One of which nothing is stored.
    pub(super) fn without_bytes(range: Range<u64>) -> Segment {
        Segment {
            range,
            in_file: 0,
            runs: Vec::new(),
            from: Via::Memory,
        }
    }

    /// One that has all its bytes in the core, of which `runs` are stored.
    pub(super) fn whole(range: Range<u64>, runs: Vec<Range<u64>>, from: Via) -> Segment {
        Segment {
            in_file: range.end - range.start,
            range,
            runs,
            from,
        }
    }
}

/// The segments of memory that no file is behind: its pages that there are, and zeros.
pub(super) fn anonymous(range: Range<u64>, pages: &[PageRun], from: Via) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut runs = pages.iter().map(|run| run.range.clone()).peekable();
    let mut at = range.start;
    while let Some(next) = runs.peek() {
        if next.start.saturating_sub(at) > LONG_GAP {
            segments.push(Segment::without_bytes(at..next.start));
            at = next.start;
        }
        let start = at;
        let mut stored = Vec::new();
        while let Some(run) = runs.next_if(|run| run.start.saturating_sub(at) <= LONG_GAP) {
            at = run.end;
            stored.push(run);
        }
        if range.end.saturating_sub(at) <= LONG_GAP {
            at = range.end;
        }
        segments.push(Segment::whole(start..at, stored, from));
    }
    if at < range.end {
        segments.push(Segment::without_bytes(at..range.end));
    }
    segments
}

/// The segments of a file's private mapping: what was written, and the `head` pages from its start
/// on; readers find the rest in the file.
pub(super) fn of_file(range: Range<u64>, pages: &[PageRun], head: u64, from: Via) -> Vec<Segment> {
    let written = pages.iter().filter(|run| !run.of_file);
    let first = range.start..range.end.min(range.start + head);
    let first = (head > 0).then_some(first).into_iter();
    let mut runs: Vec<Range<u64>> = Vec::new();
    for run in first.chain(written.map(|run| run.range.clone())) {
        match runs.last_mut() {
            Some(last) if run.start.saturating_sub(last.end) <= SHORT_GAP => {
                last.end = last.end.max(run.end);
            }
            _ => runs.push(run),
        }
    }
    let mut segments = Vec::new();
    let start = runs.first().map_or(range.end, |run| run.start);
    if start > range.start {
        segments.push(Segment::without_bytes(range.start..start));
    }
    let ends = runs.iter().skip(1).map(|run| run.start).chain([range.end]);
    let ends: Vec<u64> = ends.collect();
    for (run, end) in runs.into_iter().zip(ends) {
        segments.push(Segment {
            range: run.start..end,
            in_file: run.end - run.start,
            runs: vec![run],
            from,
        });
    }
    segments
}

/// How many bytes of a mapping are stored, about, by what is known of it before the stop.
pub(super) fn estimate(mapping: &Mapping, known: &Smap, filter: Filter) -> u64 {
    match wanted(mapping, known, filter) {
        Wanted::Nothing => 0,
        Wanted::Written { head } => known.anonymous + known.swapped + u64::from(head) * PAGE,
        Wanted::Present | Wanted::Shared => known.resident + known.swapped,
        Wanted::Whole => mapping.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Addr;

    const FILTER: &str = "33";

    fn mapping(name: &str, change: impl FnOnce(&mut Mapping)) -> Mapping {
        let mut mapping = Mapping {
            start: Addr(0x10_0000),
            end: Addr(0x20_0000),
            read: true,
            write: true,
            execute: false,
            shared: false,
            offset: 0,
            path: Some(name.to_owned()).filter(|name| !name.is_empty()),
            deleted: false,
        };
        change(&mut mapping);
        mapping
    }

    fn what(name: &str, change: impl FnOnce(&mut Mapping)) -> Wanted {
        let filter = FILTER.parse().unwrap();
        wanted(&mapping(name, change), &Smap::default(), filter)
    }

    #[test]
    fn kinds_of_mappings_by_the_default_filter() {
        let same = |_: &mut Mapping| {};
        assert_eq!(what("", same), Wanted::Written { head: false });
        assert_eq!(what("[heap]", same), Wanted::Written { head: false });
        assert_eq!(what("/lib/x.so", same), Wanted::Written { head: true });
        let later = what("/lib/x.so", |m| m.offset = 0x1000);
        assert_eq!(later, Wanted::Written { head: false });
        assert_eq!(what("/lib/x.so", |m| m.deleted = true), Wanted::Whole);
        assert_eq!(what("[vdso]", same), Wanted::Whole);
        assert_eq!(what("[vvar_vclock]", same), Wanted::Nothing);
        assert_eq!(what("/data", |m| m.shared = true), Wanted::Nothing);
        let memfd = what("/memfd:x", |m| (m.shared, m.deleted) = (true, true));
        assert_eq!(memfd, Wanted::Shared);
        let device = Smap {
            device: true,
            ..Smap::default()
        };
        let filter = "ff".parse().unwrap();
        let wanted = |known| wanted(&mapping("/dev/x", same), known, filter);
        assert_eq!(wanted(&device), Wanted::Nothing);
        assert_eq!(wanted(&Smap::default()), Wanted::Whole);
    }

    fn runs(ranges: &[(u64, u64, bool)]) -> Vec<PageRun> {
        let run = |&(start, end, of_file): &(u64, u64, bool)| PageRun {
            range: start << 12..end << 12,
            of_file,
        };
        ranges.iter().map(run).collect()
    }

    fn shape(segments: &[Segment]) -> Vec<(u64, u64, u64, usize)> {
        let shape = |s: &Segment| (s.range.start, s.range.end, s.in_file, s.runs.len());
        segments
            .iter()
            .map(shape)
            .map(|(start, end, bytes, runs)| (start >> 12, end >> 12, bytes >> 12, runs))
            .collect()
    }

    #[test]
    fn anonymous_memory_has_holes_and_long_gaps_are_apart() {
        let far = LONG_GAP >> 12;
        let shape = |pages: &[(u64, u64, bool)], end: u64| {
            shape(&anonymous(0..end << 12, &runs(pages), Via::Memory))
        };
        assert_eq!(shape(&[], 9), [(0, 9, 0, 0)]);
        assert_eq!(shape(&[(3, 4, false), (5, 6, true)], 9), [(0, 9, 9, 2)]);
        let pages = [(0, 1, false), (far + 2, far + 3, false)];
        let wanted = [(0, 1, 1, 1), (1, far + 2, 0, 0), (far + 2, far + 9, 7, 1)];
        assert_eq!(shape(&pages, far + 9), wanted);
        let wanted = [
            (0, far + 1, 0, 0),
            (far + 1, far + 2, 1, 1),
            (far + 2, 3 * far, 0, 0),
        ];
        assert_eq!(shape(&[(far + 1, far + 2, false)], 3 * far), wanted);
    }

    #[test]
    fn pages_of_a_file_that_were_not_written_are_left_to_it() {
        let shape = |pages: &[(u64, u64, bool)], head: u64| {
            shape(&of_file(
                0..0x1000 << 12,
                &runs(pages),
                head << 12,
                Via::Memory,
            ))
        };
        assert_eq!(shape(&[(2, 5, true)], 0), [(0, 0x1000, 0, 0)]);
        assert_eq!(shape(&[(2, 5, true)], 1), [(0, 0x1000, 1, 1)]);
        let near = [(2, 5, false), (9, 10, false)];
        assert_eq!(shape(&near, 0), [(0, 2, 0, 0), (2, 0x1000, 8, 1)]);
        assert_eq!(shape(&near, 1), [(0, 0x1000, 10, 1)]);
        let far = [(2, 5, false), (0x200, 0x201, false)];
        let wanted = [(0, 0x200, 5, 1), (0x200, 0x1000, 1, 1)];
        assert_eq!(shape(&far, 1), wanted);
    }
}
