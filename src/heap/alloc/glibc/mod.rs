//! glibc's malloc (malloc/malloc.c and arena.c, 2.26 to 2.43, 64-bit) read without symbols: all arenas
//! with their runs of memory, every chunk in them, what the lists of free chunks and the threads'
//! caches have, and the chunks that were mapped by themselves. What it keeps twice is compared.

mod arena;
mod caches;
mod figures;
mod lists;
mod map;
mod mapped;
mod parameters;
mod walk;

use super::{Span, Use};
use crate::addr::Addr;
use crate::heap::pieces::Words;
use crate::native::Process;
use crate::target::Mapping;
pub use arena::{Arena, Segment};
pub use caches::Cache;
pub use figures::{ArenaFigures, Class, Figures, Pin};
pub use lists::Bins;
pub use map::{Map, Part};
pub use mapped::Mapped;
pub use parameters::Parameters;
use serde::Serialize;
use std::ops::Range;
pub use walk::Stop;

/// The most chunks of the size of a thread's cache that are looked at although no thread has them.
const MOST_CANDIDATES: usize = 1 << 16;

/// What a block is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockUse {
    /// In use by the program.
    Used,
    /// Freed, and kept in a thread's cache.
    Cached,
    /// Freed, and kept in a fast bin.
    Fast,
    /// Free, in one of the bins.
    Free,
    /// What is left at the end of the arena.
    Top,
    /// A thread's cache itself.
    Table,
    /// Fence posts.
    Fence,
}

/// A chunk, from its header on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Which arena it is in, by position; `None` when it was mapped by itself.
    pub arena: Option<usize>,
    /// Where its header is.
    pub start: Addr,
    /// Bytes with the header.
    pub size: u64,
    /// What it is.
    pub state: BlockUse,
}

/// Memory that malloc has from the system in one piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Region {
    /// First byte.
    pub start: Addr,
    /// First byte behind it.
    pub end: Addr,
    /// Which arena has it, by position; `None` for one chunk alone.
    pub arena: Option<usize>,
    /// From where on nothing is known, because it is damaged.
    pub lost: Option<Addr>,
}

/// The whole of glibc's malloc.
#[derive(Clone, Debug, Serialize)]
pub struct Glibc {
    /// What is kept for the whole process, if found.
    pub parameters: Option<Parameters>,
    /// The arenas, the main one first.
    pub arenas: Vec<Arena>,
    /// The threads' caches.
    pub caches: Vec<Cache>,
    /// The chunks that were mapped by themselves.
    pub mapped: Mapped,
    /// What is wrong with the whole or with an arena, in words.
    pub problems: Vec<String>,
    /// Chunks that only seem to be in use, by address.
    #[serde(skip)]
    kept: Vec<(Addr, BlockUse)>,
}

impl Glibc {
    /// Reads it all; `None` when there is no glibc, or nothing was ever allocated with its malloc.
    pub fn find<W: Words + ?Sized>(process: &Process, words: &W) -> Option<Glibc> {
        let (main, layout, image) = arena::main(process, words)?;
        let top = Addr(words.u64(main.add(layout.top)).unwrap_or(0));
        let fast = layout.fast.is_some();
        let parameters = parameters::find(process, words, &image, top, fast);
        let (ring, closed) = arena::ring(process, words, main, layout);
        let read =
            |address: &Addr| Arena::read(process, words, *address, layout, parameters.as_ref());
        let mut glibc = Glibc {
            arenas: ring.iter().map(read).collect(),
            parameters,
            caches: Vec::new(),
            mapped: Mapped::default(),
            problems: Vec::new(),
            kept: Vec::new(),
        };
        if !closed {
            let problem = "the ring of arenas is broken: there may be more";
            glibc.problems.push(problem.into());
        }
        glibc.find_kept(process, words);
        glibc.find_mapped(process, words);
        glibc.say();
        Some(glibc)
    }

    /// What only seems to be in use.
    fn find_kept<W: Words + ?Sized>(&mut self, process: &Process, words: &W) {
        let locals = caches::Locals::of(process, words);
        let mut candidates = Vec::new();
        let mut left = MOST_CANDIDATES;
        self.chunks(words, &mut |_, chunk| {
            let used = chunk.state == walk::State::Used && caches::may_be(chunk.size);
            if used && locals.lead_to(chunk.start.add(walk::HEADER)) {
                candidates.push(chunk.start);
            } else if used && left > 0 {
                left -= 1;
                candidates.push(chunk.start);
            }
        });
        self.caches = caches::find(words, &candidates, &locals);
        for cache in &self.caches {
            self.kept
                .push((cache.address.sub(walk::HEADER), BlockUse::Table));
            let cached = |kept: &lists::Kept| (kept.start, BlockUse::Cached);
            self.kept.extend(cache.chunks.iter().map(cached));
        }
        for arena in &self.arenas {
            let fast = |kept: &lists::Kept| (kept.start, BlockUse::Fast);
            self.kept.extend(arena.fast.iter().map(fast));
        }
        self.kept.sort_unstable_by_key(|(start, _)| *start);
        self.kept.dedup_by_key(|(start, _)| *start);
    }

    fn find_mapped<W: Words + ?Sized>(&mut self, process: &Process, words: &W) {
        let may_have = |mapping: &&Mapping| {
            let path = mapping.path.as_deref();
            let anonymous = path.is_none_or(|path| path.starts_with("[anon"));
            mapping.read && mapping.write && !mapping.shared && anonymous
        };
        let mappings = process.target.mappings.iter().filter(may_have);
        let mut runs: Vec<Range<Addr>> =
            mappings.map(|mapping| mapping.start..mapping.end).collect();
        for segment in self.arenas.iter().flat_map(|arena| &arena.segments) {
            let touches =
                |run: &Range<Addr>| run.start < segment.committed && segment.start < run.end;
            let touched: Vec<Range<Addr>> = runs.extract_if(.., |run| touches(run)).collect();
            for run in touched {
                let apart = [run.start..segment.start, segment.committed..run.end];
                runs.extend(apart.into_iter().filter(|run| run.start < run.end));
            }
        }
        let parameters = self.parameters.as_ref();
        let forms = [mapped::Form::Whole, mapped::Form::Lean];
        let found = forms.map(|form| mapped::find(words, form, &runs, parameters, &process.cancel));
        // Which form this glibc writes is known by what adds up; where neither does, by number.
        let best = found
            .into_iter()
            .max_by_key(|found| (found.is_certain(), found.found.count));
        self.mapped = best.unwrap_or_default();
    }

    /// Which caches are doubtful, in words; `None` where all are whole.
    pub fn torn(&self) -> Option<String> {
        match self.caches.iter().filter(|cache| cache.torn > 0).count() {
            0 => None,
            torn => Some(format!(
                "the caches of {torn} threads are in the middle of a change: some of what they keep may \
                 be counted as in use"
            )),
        }
    }

    /// Says what is doubtful.
    fn say(&mut self) {
        if self.parameters.is_none() {
            let problem = "the parameters of malloc were not found: how many blocks were mapped by \
                           themselves is not known";
            self.problems.push(problem.into());
        } else if !self.mapped.is_certain() {
            let (found, counted) = (self.mapped.found, self.mapped.counted.unwrap_or_default());
            self.problems.push(format!(
                "of {} blocks ({} bytes) that were mapped by themselves, {} ({} bytes) were found",
                counted.count, counted.bytes, found.count, found.bytes
            ));
        }
        for arena in &self.arenas {
            let name = if arena.main {
                "the main arena"
            } else {
                "the arena"
            };
            let problems = arena.problems.iter();
            let of = |problem: &String| format!("{name} at {}: {problem}", arena.address);
            self.problems.extend(problems.map(of));
        }
    }

    /// The chunks of all arenas, those of a segment by address.
    fn chunks<W: Words + ?Sized>(&self, words: &W, found: &mut impl FnMut(usize, walk::Chunk)) {
        for (index, arena) in self.arenas.iter().enumerate() {
            for segment in &arena.segments {
                let add = &mut |chunk| found(index, chunk);
                walk::walk(words, segment.first, segment.end, arena.top, add);
            }
        }
    }

    /// All memory that it has, in the order in which [`Glibc::blocks`] and [`Glibc::each`] tell it.
    pub fn regions(&self) -> Vec<Region> {
        let mut all = Vec::new();
        for (index, arena) in self.arenas.iter().enumerate() {
            all.extend(arena.segments.iter().map(|segment| Region {
                start: segment.start,
                end: segment.end,
                arena: Some(index),
                lost: match segment.stop {
                    Stop::Broken { at, .. } => Some(at.max(segment.start)),
                    _ => None,
                },
            }));
        }
        all.extend(self.mapped.all.iter().map(|alone| Region {
            start: alone.start,
            end: alone.start.add(alone.len),
            arena: None,
            lost: None,
        }));
        all
    }

    /// Tells every chunk. Those of a region are told by address; where one is damaged, what is from
    /// there on to the end of the region is not told.
    pub fn blocks<W: Words + ?Sized>(&self, words: &W, found: &mut impl FnMut(Block)) {
        let mut kept = self.kept.iter().peekable();
        let mut last = Addr(0);
        self.chunks(words, &mut |arena, chunk| {
            if chunk.start < last {
                kept = self.kept.iter().peekable();
            }
            last = chunk.start;
            while kept.next_if(|(start, _)| *start < chunk.start).is_some() {}
            let state = match chunk.state {
                walk::State::Used => match kept.peek() {
                    Some((start, state)) if *start == chunk.start => *state,
                    _ => BlockUse::Used,
                },
                walk::State::Free => BlockUse::Free,
                walk::State::Top => BlockUse::Top,
                walk::State::Fence => BlockUse::Fence,
            };
            found(Block {
                arena: Some(arena),
                start: chunk.start,
                size: chunk.size,
                state,
            });
        });
        for alone in &self.mapped.all {
            found(Block {
                arena: None,
                start: alone.start,
                size: alone.len,
                state: BlockUse::Used,
            });
        }
    }

    /// Tells what every byte of [`Glibc::regions`] is for, region after region, side by side, but for
    /// what is lost in one. A block in use begins where the pointer points that malloc returned.
    pub fn each<W: Words + ?Sized>(&self, words: &W, found: &mut impl FnMut(Span)) {
        let regions = self.regions();
        let mut next = regions.iter();
        let mut region: Option<&Region> = None;
        let mut at = Addr(0);
        let mut alone = self.mapped.all.iter();
        let mut tell = |start: Addr, end: Addr, used| {
            if let Some(len) = end.since(start).filter(|len| *len > 0) {
                found(Span { start, len, used });
            }
        };
        self.blocks(words, &mut |block| {
            while region.is_none_or(|region| !(region.start..region.end).contains(&block.start)) {
                match next.next() {
                    Some(following) => {
                        region = Some(following);
                        at = following.start;
                    }
                    None => return,
                }
            }
            let end = region.map_or(at, |region| region.lost.unwrap_or(region.end));
            // The first word of the next chunk belongs to this one.
            let (user, behind) = match block.arena {
                Some(_) => {
                    let behind = block.start.add(block.size).add(8);
                    (block.start.add(walk::HEADER), behind)
                }
                None => match alone.next() {
                    Some(alone) => (alone.user, alone.user.add(alone.usable)),
                    None => return,
                },
            };
            let used = match block.state {
                BlockUse::Used => Use::Used,
                BlockUse::Cached | BlockUse::Fast | BlockUse::Free | BlockUse::Top => Use::Free,
                BlockUse::Table | BlockUse::Fence => Use::Overhead,
            };
            let behind = behind.min(end);
            tell(at, user.min(end), Use::Overhead);
            tell(user, behind, used);
            at = behind.max(user.min(end));
            if block.arena.is_none() {
                tell(at, end, Use::Overhead);
                at = end;
            }
        });
    }
}
