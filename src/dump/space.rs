//! The memory of a stopped process as segments of its core: by its mappings, what is wanted of
//! each, and which pages there are.

use super::before::Before;
use super::copy::Shared;
use super::layout;
use super::plan::{self, Segment, Via, Wanted};
use crate::target::pages::{PAGE, PageRun, Pages};
use crate::target::proc::Task;
use crate::target::reader::Reader;
use crate::target::{Mapping, Target};
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use std::fs::File;
use std::ops::Range;

/// Shared memory up to this many bytes is read whole even where reading makes pages.
const LITTLE: u64 = 1 << 20;

/// What an ELF file starts with.
const ELF: [u8; 4] = *b"\x7fELF";

/// The memory of a process, before it has places in the core.
#[derive(Default)]
pub(super) struct Space {
    /// Its segments by address, with their permissions.
    pub(super) segments: Vec<(u32, Segment)>,
    /// The files that [`Via::File`] means.
    pub(super) files: Vec<Shared>,
    /// Bytes of shared memory that may be more than zeros and are not read, because to read them
    /// would make pages.
    pub(super) unseen: u64,
}

/// Looks at all mappings of a process that stands still, the target's or a copy of it.
pub(super) fn read(target: &Target, reader: Reader<'_>, before: &Before) -> Space {
    let task = Task::of(reader.pid());
    let looker = Looker {
        reader,
        task,
        pages: Pages::of(task).ok(),
    };
    let mut space = Space::default();
    for mapping in &target.mappings {
        let known = before.known(mapping);
        let wanted = plan::wanted(mapping, &known, before.filter);
        let segments = looker.segments(mapping, wanted, &mut space);
        let flags = layout::flags(mapping);
        let segments = segments.into_iter().map(|segment| (flags, segment));
        space.segments.extend(segments);
    }
    space
}

struct Looker<'a> {
    reader: Reader<'a>,
    task: Task,
    pages: Option<Pages>,
}

impl Looker<'_> {
    fn segments(&self, mapping: &Mapping, wanted: Wanted, space: &mut Space) -> Vec<Segment> {
        let range = mapping.start.0..mapping.end.0;
        let from = if mapping.read {
            Via::Memory
        } else {
            Via::Forbidden
        };
        let of_file = mapping
            .path
            .as_deref()
            .is_some_and(|name| !name.starts_with('['));
        match wanted {
            Wanted::Nothing => vec![Segment::without_bytes(range)],
            Wanted::Whole => vec![Segment::whole(range.clone(), vec![range], from)],
            Wanted::Present => vec![self.present(range, from)],
            Wanted::Written { head } if of_file => {
                let head = if head && self.is_elf(mapping) {
                    PAGE
                } else {
                    0
                };
                plan::of_file(range.clone(), &self.runs(range), head, from)
            }
            Wanted::Written { .. } => plan::anonymous(range.clone(), &self.runs(range), from),
            Wanted::Shared => vec![self.shared(mapping, from, space)],
        }
    }

    /// The pages that there are; all of them where that cannot be told.
    fn runs(&self, range: Range<u64>) -> Vec<PageRun> {
        let pages = self.pages.as_ref();
        let runs = pages.and_then(|pages| pages.runs(range.clone()).ok());
        runs.unwrap_or_else(|| {
            vec![PageRun {
                range,
                of_file: false,
            }]
        })
    }

    fn present(&self, range: Range<u64>, from: Via) -> Segment {
        let runs = self.runs(range.clone()).into_iter().map(|run| run.range);
        Segment::whole(range, runs.collect(), from)
    }

    fn is_elf(&self, mapping: &Mapping) -> bool {
        let mut magic = [0; ELF.len()];
        let read = self
            .reader
            .copy(&[(mapping.start.0, magic.len())], &mut magic);
        read == Ok(magic.len()) && magic == ELF
    }

    /// Shared memory is read from the file that is mapped, if pydbg may open it: pages that only
    /// another process has touched are there, and none is made.
    fn shared(&self, mapping: &Mapping, from: Via, space: &mut Space) -> Segment {
        let range = mapping.start.0..mapping.end.0;
        if let Ok(file) = File::open(self.task.mapped_file(mapping))
            && let Some(runs) = data(&file, mapping)
        {
            let index = space.files.len();
            space.files.push(Shared {
                file,
                base: mapping.start.0.wrapping_sub(mapping.offset),
            });
            return Segment::whole(range, runs, Via::File(index));
        }
        if mapping.len() <= LITTLE {
            return Segment::whole(range.clone(), vec![range], from);
        }
        let segment = self.present(range, from);
        let seen: u64 = segment.runs.iter().map(|run| run.end - run.start).sum();
        space.unseen += segment.in_file.saturating_sub(seen);
        segment
    }
}

/// Where a file that is mapped has data, as addresses of whole pages; `None` when it cannot tell.
fn data(file: &File, mapping: &Mapping) -> Option<Vec<Range<u64>>> {
    let end = mapping.offset.checked_add(mapping.len())?;
    let seek = |at: u64, whence| match lseek(file, i64::try_from(at).ok()?, whence) {
        Ok(found) => Some(found as u64),
        Err(Errno::ENXIO) => Some(u64::MAX),
        Err(_) => None,
    };
    let mut runs = Vec::new();
    let mut at = mapping.offset;
    while at < end {
        let start = seek(at, Whence::SeekData)?;
        if start >= end {
            break;
        }
        let stop = seek(start, Whence::SeekHole)?.clamp(start + 1, end);
        let address = |offset: u64| mapping.start.0 + (offset - mapping.offset);
        let from = address(start - start % PAGE).max(mapping.start.0);
        let to = address(stop).next_multiple_of(PAGE).min(mapping.end.0);
        runs.push(from..to);
        at = stop.next_multiple_of(PAGE);
    }
    Some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Addr;
    use std::os::unix::fs::FileExt;

    #[test]
    fn data_of_a_shared_file_is_found_by_address() {
        let file = tempfile::tempfile_in("/dev/shm").unwrap();
        file.set_len(64 << 12).unwrap();
        file.write_all_at(b"x", (10 << 12) + 5).unwrap();
        file.write_all_at(b"y", (63 << 12) + 9).unwrap();
        let mapping = |offset: u64, pages: u64| Mapping {
            start: Addr(1 << 20),
            end: Addr((1 << 20) + (pages << 12)),
            read: true,
            write: true,
            execute: false,
            shared: true,
            offset,
            path: None,
            deleted: true,
        };
        let at = |page: u64| (1 << 20) + (page << 12);
        let found = data(&file, &mapping(0, 80)).unwrap();
        assert_eq!(found, [at(10)..at(11), at(63)..at(64)]);
        let found = data(&file, &mapping(10 << 12, 3)).unwrap();
        assert_eq!(found.first(), Some(&(at(0)..at(1))));
        assert_eq!(found.len(), 1);
        assert!(data(&file, &mapping(11 << 12, 3)).unwrap().is_empty());
    }
}
