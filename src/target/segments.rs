//! From PT_LOADs and NT_FILE to mappings and to where each byte comes from. What the kernel
//! leaves out is told in Linux fs/coredump.c (`vma_dump_size`): clean private file pages beyond
//! an ELF header, and anonymous memory that was never written. gcore omits clean mappings from
//! the program headers altogether; NT_FILE still names them.

use super::Mapping;
use super::corefile::Load;
use super::ntfile::FileEntry;
use crate::addr::Addr;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::ops::Range;

/// Where the bytes of a piece come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// The core, from this offset on.
    Core(usize),
    /// The core should have them and is cut before.
    Cut,
    /// Memory that was never written.
    Zeros,
    /// The file with this index, from this offset on.
    File(u32, u64),
    /// Nowhere.
    Absent,
}

/// A run of addresses with one source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    /// First address.
    pub(super) start: u64,
    /// Address behind it.
    pub(super) end: u64,
    /// Where its bytes are.
    pub(super) source: Source,
}

/// A file whose pages the core leaves out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Backing {
    /// Its path in the target.
    pub(super) path: String,
    /// It was deleted or replaced.
    pub(super) deleted: bool,
    /// Where its first page lies in the core, when it was dumped.
    pub(super) first_page: Option<Range<usize>>,
    /// Some mapping of it can be executed.
    pub(super) code: bool,
}

/// The address space.
#[derive(Default, Debug)]
pub(super) struct Space {
    /// As the user sees it.
    pub(super) mappings: Vec<Mapping>,
    /// As memory reads it: by address, apart.
    pub(super) pieces: Vec<Piece>,
    /// What [`Source::File`] means.
    pub(super) backings: Vec<Backing>,
    /// The mappings only NT_FILE knows, with their backing: what they permit is not stated.
    pub(super) unstated: Vec<(usize, u32)>,
}

/// What is known about the core as a whole.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    /// The core's length.
    pub(super) len: usize,
    /// Undumped memory that no file backs is memory that was never written: NT_FILE is whole and
    /// anonymous memory was dumped at all.
    pub(super) anonymous_is_zero: bool,
}

/// Sorts the loads and takes their overlaps apart: dumped bytes win over undumped ones, then the
/// lower segment wins. Gives the number of loads that were clipped or dropped.
pub(super) fn apart(loads: &mut Vec<Load>) -> usize {
    loads.sort_by_key(|load| (load.start, Reverse(load.in_file)));
    let mut clipped = 0;
    let mut out: Vec<Load> = Vec::with_capacity(loads.len());
    for mut load in loads.drain(..) {
        if let Some(last) = out.last_mut().filter(|last| last.end > load.start) {
            clipped += 1;
            if last.start.saturating_add(last.in_file) <= load.start && last.start < load.start {
                last.end = load.start;
            } else if load.end > last.end {
                let cut = last.end - load.start;
                load.start = last.end;
                load.offset = load.offset.saturating_add(cut);
                load.in_file = load.in_file.saturating_sub(cut);
            } else {
                continue;
            }
        }
        out.push(load);
    }
    *loads = out;
    clipped
}

/// Builds the address space. Both lists are sorted and without overlaps.
pub(super) fn build(loads: &[Load], files: &[FileEntry], facts: Facts) -> Space {
    let mut space = Space::default();
    let indexes = backings(&mut space, loads, files, facts.len);
    let mut points: Vec<u64> = loads
        .iter()
        .flat_map(|load| [load.start, load.end])
        .chain(files.iter().flat_map(|file| [file.start, file.end]))
        .collect();
    points.sort_unstable();
    points.dedup();
    let (mut l, mut f) = (0, 0);
    for (&start, &end) in points.iter().zip(points.iter().skip(1)) {
        while loads.get(l).is_some_and(|load| load.end <= start) {
            l += 1;
        }
        while files.get(f).is_some_and(|file| file.end <= start) {
            f += 1;
        }
        let load = loads.get(l).filter(|load| load.start <= start);
        let file = files.get(f).filter(|file| file.start <= start);
        let backing = file.and_then(|_| indexes.get(f)).copied();
        if load.is_none() && file.is_none() {
            continue;
        }
        let offset = file.map(|file| file.offset.saturating_add(start - file.start));
        if let (None, Some(backing)) = (load, backing) {
            space.unstated.push((space.mappings.len(), backing));
        }
        space.mappings.push(Mapping {
            start: Addr(start),
            end: Addr(end),
            read: load.is_none_or(|load| load.read),
            write: load.is_some_and(|load| load.write),
            execute: load.is_some_and(|load| load.execute),
            shared: false,
            offset: offset.unwrap_or(0),
            path: file.map(|file| file.path.clone()),
            deleted: file.is_some_and(|file| file.deleted),
        });
        let from_file = backing.zip(offset).map(|(b, o)| Source::File(b, o));
        if let Some(load) = load {
            dumped(&mut space.pieces, load, start..end, from_file, facts);
        } else if let Some(source) = from_file {
            push(&mut space.pieces, start, end, source);
        }
    }
    space
}

/// The pieces of one part of a load: in the core, cut off it, left out of it.
fn dumped(
    pieces: &mut Vec<Piece>,
    load: &Load,
    part: Range<u64>,
    from_file: Option<Source>,
    facts: Facts,
) {
    let stated = load.start.saturating_add(load.in_file);
    let there = (facts.len as u64)
        .saturating_sub(load.offset)
        .min(load.in_file);
    let there = load.start.saturating_add(there).clamp(part.start, part.end);
    let stated = stated.clamp(there, part.end);
    let offset = load.offset.saturating_add(part.start - load.start);
    if let Ok(offset) = usize::try_from(offset) {
        push(pieces, part.start, there, Source::Core(offset));
    }
    // Code is not written to, so the file's bytes are as good as the ones that were cut off;
    // other mappings may have been written before they became read-only (relro).
    let code = load.execute && !load.write;
    let lost = match from_file {
        Some(Source::File(index, at)) if code => {
            Source::File(index, at.saturating_add(there - part.start))
        }
        _ => Source::Cut,
    };
    push(pieces, there, stated, lost);
    let rest = match from_file {
        Some(Source::File(index, at)) => {
            Source::File(index, at.saturating_add(stated - part.start))
        }
        _ if load.in_file == 0 && load.read && facts.anonymous_is_zero => Source::Zeros,
        _ => Source::Absent,
    };
    push(pieces, stated, part.end, rest);
}

/// Adds a piece, joining it to the one before where the core has both in one run.
fn push(pieces: &mut Vec<Piece>, start: u64, end: u64, source: Source) {
    if start >= end {
        return;
    }
    if let Some(last) = pieces.last_mut().filter(|last| last.end == start) {
        let follows = match (last.source, source) {
            (Source::Core(a), Source::Core(b)) => {
                b.checked_sub(a).map(|by| by as u64) == Some(last.end - last.start)
            }
            _ => false,
        };
        if follows {
            last.end = end;
            return;
        }
    }
    pieces.push(Piece { start, end, source });
}

/// One backing for each file, and for each entry the index of its backing.
fn backings(space: &mut Space, loads: &[Load], files: &[FileEntry], len: usize) -> Vec<u32> {
    let mut known: FxHashMap<(&str, bool), u32> = FxHashMap::default();
    let mut indexes = Vec::with_capacity(files.len());
    for file in files {
        let next = space.backings.len() as u32;
        let index = *known.entry((&file.path, file.deleted)).or_insert(next);
        if index == next {
            space.backings.push(Backing {
                path: file.path.clone(),
                deleted: file.deleted,
                first_page: None,
                code: false,
            });
        }
        indexes.push(index);
        let at = loads.partition_point(|load| load.end <= file.start);
        let load = loads.get(at).filter(|load| load.start <= file.start);
        if let Some(backing) = space.backings.get_mut(index as usize) {
            backing.code |= load.is_some_and(|load| load.execute);
            if file.offset == 0 && backing.first_page.is_none() {
                backing.first_page = load.and_then(|load| first_page(load, file, len));
            }
        }
    }
    indexes
}

/// Where the first page of a file that is mapped from its start lies in the core.
fn first_page(load: &Load, file: &FileEntry, len: usize) -> Option<Range<usize>> {
    const PAGE: u64 = 4096;
    let skip = file.start - load.start;
    let size = load.in_file.checked_sub(skip)?.min(PAGE);
    let start = usize::try_from(load.offset.checked_add(skip)?).ok()?;
    let end = start.checked_add(size as usize)?.min(len);
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(start: u64, end: u64, in_file: u64, offset: u64) -> Load {
        Load {
            start,
            end,
            offset,
            in_file,
            read: true,
            write: false,
            execute: false,
        }
    }

    fn file(start: u64, end: u64, offset: u64) -> FileEntry {
        FileEntry {
            start,
            end,
            offset,
            path: "/lib/x.so".into(),
            deleted: false,
        }
    }

    const FACTS: Facts = Facts {
        len: 0x10_000,
        anonymous_is_zero: true,
    };

    fn pieces(loads: &[Load], files: &[FileEntry]) -> Vec<(u64, u64, Source)> {
        let space = build(loads, files, FACTS);
        let tuple = |piece: &Piece| (piece.start, piece.end, piece.source);
        space.pieces.iter().map(tuple).collect()
    }

    #[test]
    fn file_pages_lie_under_dumped_ones() {
        let loads = [load(0x1000, 0x4000, 0x1000, 0x2000)];
        let files = [file(0x1000, 0x4000, 0)];
        let want = [
            (0x1000, 0x2000, Source::Core(0x2000)),
            (0x2000, 0x4000, Source::File(0, 0x1000)),
        ];
        assert_eq!(pieces(&loads, &files), want);
        let space = build(&loads, &files, FACTS);
        assert_eq!(space.backings[0].first_page, Some(0x2000..0x3000));
        assert_eq!(space.mappings.len(), 1);
    }

    #[test]
    fn a_mapping_only_nt_file_knows_is_read_from_the_file() {
        let got = pieces(
            &[load(0x1000, 0x2000, 0x1000, 0)],
            &[file(0x5000, 0x6000, 0x3000)],
        );
        assert_eq!(got[1], (0x5000, 0x6000, Source::File(0, 0x3000)));
    }

    #[test]
    fn memory_never_written_is_zero_unless_the_file_table_is_damaged() {
        let loads = [load(0x1000, 0x2000, 0, 0)];
        assert_eq!(pieces(&loads, &[]), [(0x1000, 0x2000, Source::Zeros)]);
        let facts = Facts {
            anonymous_is_zero: false,
            ..FACTS
        };
        let space = build(&loads, &[], facts);
        assert_eq!(space.pieces[0].source, Source::Absent);
    }

    #[test]
    fn what_is_behind_the_end_of_the_core_is_cut_but_code_comes_from_the_file() {
        let mut loads = [load(0x1000, 0x3000, 0x2000, 0xf000)];
        let want = [
            (0x1000, 0x2000, Source::Core(0xf000)),
            (0x2000, 0x3000, Source::Cut),
        ];
        assert_eq!(pieces(&loads, &[file(0x1000, 0x3000, 0)]), want);
        loads[0].execute = true;
        let got = pieces(&loads, &[file(0x1000, 0x3000, 0)]);
        assert_eq!(got[1].2, Source::File(0, 0x1000));
    }

    #[test]
    fn neighbours_in_memory_and_in_the_core_are_one_piece() {
        let loads = [
            load(0x1000, 0x2000, 0x1000, 0x3000),
            load(0x2000, 0x3000, 0x1000, 0x4000),
        ];
        assert_eq!(
            pieces(&loads, &[]),
            [(0x1000, 0x3000, Source::Core(0x3000))]
        );
    }

    #[test]
    fn overlaps_are_taken_apart() {
        let mut loads = vec![
            load(0x2000, 0x3000, 0x1000, 0x4000),
            load(0x1000, 0x9000, 0x1000, 0x3000),
            load(0x2800, 0x4000, 0x1800, 0x5000),
            load(0x2900, 0x2a00, 0x100, 0x5000),
        ];
        assert_eq!(apart(&mut loads), 3);
        let ranges: Vec<_> = loads.iter().map(|l| (l.start, l.end, l.offset)).collect();
        let want = [
            (0x1000, 0x2000, 0x3000),
            (0x2000, 0x3000, 0x4000),
            (0x3000, 0x4000, 0x5800),
        ];
        assert_eq!(ranges, want);
    }
}
