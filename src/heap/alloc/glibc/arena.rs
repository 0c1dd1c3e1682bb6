//! The arenas of glibc's malloc and the runs of memory they have (malloc/arena.c, 2.26 to 2.43,
//! 64-bit): the main arena has the process's heap from where `sbrk` first led, in several runs if
//! others moved the break or it could not be moved; the others have heaps aligned to 64 MiB, each of
//! which leads to the one before.

use super::lists::{self, Bins, Kept};
use super::parameters::{self, Parameters};
use super::walk::{ALIGNMENT, Stop, walk};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::image::Image;
use crate::native::Process;
use crate::native::place::arena::Layout;
use crate::native::place::glibc::HEAP_ALIGNMENT;
use serde::Serialize;
use std::sync::Arc;

/// The most arenas, and the most heaps of one.
const MOST: usize = 1 << 16;
/// The most starts that are tried for a run of which only one chunk is known.
const MOST_STARTS: u64 = 1 << 16;
/// The most chunks that are walked in all while starts are tried.
const MOST_STEPS: u64 = 1 << 27;
/// Set in the flags when the main arena has other memory than the process's heap.
const NONCONTIGUOUS: u32 = 2;
const PAGE: u64 = 4096;

/// A run of memory of an arena.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Segment {
    /// First byte.
    pub start: Addr,
    /// First chunk.
    pub first: Addr,
    /// First byte behind it.
    pub end: Addr,
    /// How far it may be read and written; an arena's heap shrinks without giving that back.
    pub committed: Addr,
    /// How the chunks in it end.
    pub stop: Stop,
}

/// An arena.
#[derive(Clone, Debug, Serialize)]
pub struct Arena {
    /// Its `malloc_state`.
    pub address: Addr,
    /// Whether it is the main arena, which has the process's heap.
    pub main: bool,
    /// Whether its lock is taken: a thread is in the middle of a change.
    pub locked: bool,
    /// How many threads use it.
    pub attached: u64,
    /// Where the last chunk is.
    pub top: Addr,
    /// Bytes it has from the system, as it says itself.
    pub system: u64,
    /// The most it ever had.
    pub max_system: u64,
    /// Its runs of memory, by address.
    pub segments: Vec<Segment>,
    /// Its lists of free chunks, by its own account.
    pub bins: Bins,
    /// Whether all fast bins could be followed.
    pub fast_whole: bool,
    /// What is wrong with it, in words.
    pub problems: Vec<String>,
    #[serde(skip)]
    pub(super) layout: &'static Layout,
    #[serde(skip)]
    pub(super) fast: Vec<Kept>,
}

/// The main arena, and the image that has it.
pub(super) fn main<W: Words + ?Sized>(
    process: &Process,
    words: &W,
) -> Option<(Addr, &'static Layout, Arc<Image>)> {
    let mut images = process.images.all.iter();
    let image = images.find(|image| process.may_have_malloc(image))?;
    let at = |at: Addr| Some((at, process.arena(at)?.layout, Arc::clone(image)));
    let named = image
        .named("main_arena")
        .and_then(|(address, _)| at(address));
    let anywhere = || {
        let ranges = parameters::data(process, image).map(|mapping| mapping.start.0..mapping.end.0);
        let mut places = ranges
            .flat_map(|range| range.step_by(ALIGNMENT as usize))
            .map(Addr);
        places.find_map(|place| {
            // The ring of arenas leads to itself or to another one.
            let ring = Layout::all().iter().any(|layout| {
                let next = words.u64(place.add(layout.next)).unwrap_or(0);
                let aligned = next != 0 && next.is_multiple_of(ALIGNMENT);
                aligned && (next == place.0 || words.u64(Addr(next)).is_some())
            });
            ring.then(|| at(place)).flatten()
        })
    };
    named.or_else(anywhere)
}

/// All arenas, from the main one on, with whether the ring is whole.
pub(super) fn ring<W: Words + ?Sized>(
    process: &Process,
    words: &W,
    main: Addr,
    layout: &'static Layout,
) -> (Vec<Addr>, bool) {
    let mut all = vec![main];
    let mut at = main;
    while all.len() < MOST {
        let next = words.u64(at.add(layout.next)).map(Addr);
        match next {
            Some(next) if next == main => return (all, true),
            Some(next) if process.arena(next).is_some_and(|arena| !arena.main) => {
                all.push(next);
                at = next;
            }
            _ => break,
        }
    }
    (all, false)
}

impl Arena {
    /// Reads an arena with its runs of memory.
    pub(super) fn read<W: Words + ?Sized>(
        process: &Process,
        words: &W,
        address: Addr,
        layout: &'static Layout,
        parameters: Option<&Parameters>,
    ) -> Arena {
        let word = |offset| words.u64(address.add(offset)).unwrap_or(0);
        let (fast, fast_whole) = lists::fast(words, address, layout);
        let system = word(layout.system);
        let main = process.images.at(address).is_some();
        let mut arena = Arena {
            address,
            main,
            locked: word(0) as u32 != 0,
            attached: word(layout.attached),
            top: Addr(word(layout.top)),
            system,
            max_system: word(layout.system + 8),
            segments: Vec::new(),
            bins: Bins::default(),
            fast_whole,
            problems: Vec::new(),
            layout,
            fast,
        };
        let mut known = vec![arena.top];
        let scattered = main && (word(0) >> 32) as u32 & NONCONTIGUOUS != 0;
        let add = &mut |chunk| {
            if main {
                known.push(chunk);
            }
        };
        arena.bins = lists::bins(words, address, layout, system, add);
        match main {
            true => {
                known.extend(arena.fast.iter().map(|kept| kept.start));
                arena.find_runs(process, words, parameters, known, scattered);
            }
            false => arena.find_heaps(words),
        }
        arena.check();
        arena
    }

    fn push<W: Words + ?Sized>(&mut self, words: &W, start: Addr, first: Addr, end: Addr) -> Stop {
        let stop = walk(words, first, end, self.top, &mut |_| {});
        let end = match stop {
            Stop::Top(end) | Stop::Fence(end) => end,
            Stop::Broken { .. } => end,
        };
        self.segments.push(Segment {
            start,
            first,
            end,
            committed: end,
            stop,
        });
        stop
    }

    /// The heaps of an arena other than the main one, the last of which has its top.
    fn find_heaps<W: Words + ?Sized>(&mut self, words: &W) {
        let own = Addr(self.address.0 & !(HEAP_ALIGNMENT - 1));
        let header = self.address.0 - own.0;
        let mut info = Addr(self.top.0 & !(HEAP_ALIGNMENT - 1));
        while self.segments.len() < MOST {
            let word = |offset| words.u64(info.add(offset));
            let (arena, size, committed) = (word(0), word(16), word(24));
            let (Some(size), Some(committed), true) =
                (size, committed, arena == Some(self.address.0))
            else {
                self.problems
                    .push(format!("its heap at {info} is damaged or missing"));
                break;
            };
            let seen = self.segments.iter().any(|segment| segment.start == info);
            if seen || size > HEAP_ALIGNMENT || committed > HEAP_ALIGNMENT || size < header {
                self.problems.push(format!("its heap at {info} is damaged"));
                break;
            }
            let first = match info == own {
                true => self.address.add(self.layout.size),
                false => info.add(header),
            };
            self.push(words, info, first, info.add(size));
            if let Some(last) = self.segments.last_mut() {
                last.committed = info.add(committed.max(size));
            }
            match word(8) {
                Some(0) => break,
                Some(before) => info = Addr(before),
                None => break,
            }
        }
        self.segments.sort_by_key(|segment| segment.start);
    }

    /// The runs of the main arena: from the start of the heap up to the top, or to fence posts where
    /// another one follows.
    fn find_runs<W: Words + ?Sized>(
        &mut self,
        process: &Process,
        words: &W,
        parameters: Option<&Parameters>,
        mut known: Vec<Addr>,
        scattered: bool,
    ) {
        if self.system == 0 {
            return;
        }
        let target = &process.target;
        let named = || {
            let heap = Some("[heap]");
            let mut mappings = target.mappings.iter();
            mappings
                .find(|mapping| mapping.path.as_deref() == heap)
                .map(|mapping| mapping.start)
        };
        let base = parameters.map(|parameters| parameters.sbrk_base);
        if let Some(start) = base.or_else(named)
            && let Some(mapping) = target.mapping(start)
            && let Some(first) = start.0.checked_next_multiple_of(ALIGNMENT)
            && let Stop::Top(_) = self.push(words, start, Addr(first), mapping.end)
            && !scattered
        {
            return;
        }
        known.sort_unstable();
        known.dedup();
        for chunk in known {
            let holds = |segment: &Segment| segment.start <= chunk && chunk < segment.end;
            if self.segments.iter().any(holds) {
                continue;
            }
            let start = target
                .mapping(chunk)
                .and_then(|mapping| self.start_before(words, chunk, mapping.start, mapping.end));
            match start.zip(target.mapping(chunk)) {
                Some((start, mapping)) => {
                    self.push(words, start, start, mapping.end);
                }
                None => {
                    let problem = format!("no chunks lead to the one at {chunk}, which it has");
                    self.problems.push(problem);
                    break;
                }
            }
        }
        self.segments.sort_by_key(|segment| segment.start);
    }

    /// The first place in a mapping, behind the runs that are known, from which chunks lead to one
    /// that is known and on to an end.
    fn start_before<W: Words + ?Sized>(
        &self,
        words: &W,
        chunk: Addr,
        start: Addr,
        end: Addr,
    ) -> Option<Addr> {
        let inside = self.segments.iter().filter(|segment| segment.end <= chunk);
        let from = inside
            .map(|segment| segment.end)
            .max()
            .unwrap_or(start)
            .max(start);
        let pages =
            (0..MOST_STARTS).map(|page| Addr((from.0 & !(PAGE - 1)).wrapping_add(page * PAGE)));
        let fine = (0..MOST_STARTS).map(|step| from.add(step * ALIGNMENT));
        let within = |at: &Addr| *at >= from && *at <= chunk;
        let mut steps = 0_u64;
        let mut starts = pages.filter(within).chain(fine.filter(within));
        starts.find(|at| {
            if steps > MOST_STEPS {
                return false;
            }
            let mut passed = false;
            let stop = walk(words, *at, end, self.top, &mut |found| {
                steps += 1;
                passed |= found.start == chunk;
            });
            passed && !matches!(stop, Stop::Broken { .. })
        })
    }

    /// Compares what was found with what the arena says.
    fn check(&mut self) {
        for segment in &self.segments {
            if let Stop::Broken { at, why } = segment.stop {
                let end = segment.end;
                self.problems.push(format!(
                    "nothing is known of its memory from {at} to {end}: {why}"
                ));
            }
        }
        if self.locked {
            self.problems
                .push("a thread was stopped while it changed it".into());
        }
        if !self.bins.whole || !self.fast_whole {
            self.problems
                .push("one of its lists of free chunks does not end".into());
        }
        let has: u64 = self
            .segments
            .iter()
            .map(|segment| segment.end.0 - segment.start.0)
            .sum();
        let contiguous = match (self.segments.first(), self.segments.last()) {
            (Some(first), Some(last)) if self.main => last.end.0 - first.start.0,
            _ => has,
        };
        if self.problems.is_empty() && has != self.system && contiguous != self.system {
            self.problems.push(format!(
                "it has {} bytes by its own account, and {has} were found",
                self.system
            ));
        }
    }
}
