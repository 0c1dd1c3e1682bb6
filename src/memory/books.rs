//! The allocators of a process, and the booking of what they tell.

use super::blocks::Blocks;
use super::claims::Claims;
use super::ledger::Ledger;
use super::what::What;
use crate::addr::Addr;
use crate::heap::alloc::glibc::{Figures, Glibc};
use crate::heap::alloc::mimalloc::{Segment, Segments};
use crate::heap::alloc::pymalloc::Pymalloc;
use crate::heap::alloc::recognise::{self, Library, Server};
use crate::heap::alloc::{Gap, Span, Use};
use crate::heap::pieces::Pieces;
use crate::python::Python;
use crate::python::obmalloc::ArenaObject;
use crate::target::resident::Resident;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::ops::Range;

/// How many gaps in the books of one allocator are told one by one.
const GAPS: usize = 3;

/// What mimalloc cuts its segments into (`MI_SEGMENT_SLICE_SIZE`).
const SLICE: u64 = 64 << 10;

/// All allocators that were found.
pub(crate) struct Books<'p, 'm> {
    python: &'p Python,
    pieces: &'p Pieces<'m>,
    glibc: Option<Glibc>,
    pymalloc: Pymalloc,
    mimalloc: Segments,
    /// Free memory of this size has nothing in use.
    pool_size: u64,
    /// Another library than glibc that serves malloc.
    pub(crate) other_malloc: Option<Server>,
    /// What is wrong with them, in words.
    pub(crate) problems: Vec<String>,
}

/// Who has memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allocator {
    /// CPython's pools.
    Pymalloc,
    /// The mimalloc in CPython.
    Mimalloc,
    /// glibc's malloc.
    Glibc,
}

/// The parts of the address space that each allocator has alone, by address.
pub(crate) struct Regions {
    pools: Vec<Range<u64>>,
    native: Vec<Range<u64>>,
}

impl<'p, 'm> Books<'p, 'm> {
    /// Finds the allocators.
    pub(crate) fn of(python: &'p Python, pieces: &'p Pieces<'m>) -> Books<'p, 'm> {
        let glibc = Glibc::find(&python.process, pieces);
        let pymalloc = Pymalloc::of(python, pieces);
        let problems = glibc.iter().flat_map(|glibc| glibc.problems.clone());
        let server = recognise::server(&python.process);
        let unseen = server.is_none().then(|| recognise::UNSEEN.to_owned());
        let problems = problems.chain(pymalloc.problems.clone()).chain(unseen);
        Books {
            python,
            pieces,
            problems: problems.collect(),
            glibc,
            pool_size: pymalloc.pool_size.map_or(SLICE, u64::from),
            pymalloc,
            mimalloc: Segments::of(python, pieces),
            other_malloc: server.filter(|server| server.library != Library::Glibc),
        }
    }

    /// Tells all memory that allocators have, as several threads do at once.
    pub(crate) fn each(&self, tell: &(dyn Fn(Allocator, Span) + Sync)) {
        let arenas: Vec<Arena<'_>> = self.arenas().collect();
        arenas.par_iter().for_each(|arena| {
            let allocator = match arena {
                Arena::Pools(_) => Allocator::Pymalloc,
                Arena::Pages(_) => Allocator::Mimalloc,
            };
            self.spans(arena, &mut |span| tell(allocator, span));
        });
        if let Some(glibc) = &self.glibc {
            glibc.each(self.pieces, &mut |span| tell(Allocator::Glibc, span));
        }
    }

    /// The figures of glibc's malloc.
    pub(super) fn figures(&self) -> Option<Figures> {
        let glibc = self.glibc.as_ref()?;
        Some(glibc.figures(self.pieces))
    }

    /// Claims what the allocators have. Python's is asked first: it may have its arenas from malloc.
    pub(crate) fn claim(&self, claims: &mut Claims) -> Regions {
        let mut claim = |runs: &mut dyn Iterator<Item = Range<u64>>| {
            let mut own: Vec<Range<u64>> = runs.flat_map(|run| claims.claim(run)).collect();
            own.sort_unstable_by_key(|run| run.start);
            own
        };
        let mut arenas = self.arenas().map(|arena| arena.run());
        let regions = self.glibc.iter().flat_map(Glibc::regions);
        Regions {
            pools: claim(&mut arenas),
            native: claim(&mut regions.map(|region| region.start.0..region.end.0)),
        }
    }

    /// Books all that the allocators tell.
    pub(super) fn book<'r>(
        &mut self,
        regions: &Regions,
        blocks: &Blocks<'_, '_>,
        resident: &'r Resident,
    ) -> Ledger<'r> {
        let ledger = self.book_pools(regions, blocks, resident);
        match &self.glibc {
            Some(glibc) => ledger.join(&self.book_glibc(glibc, regions, blocks, resident)),
            None => ledger,
        }
    }

    fn book_pools<'r>(
        &mut self,
        regions: &Regions,
        blocks: &Blocks<'_, '_>,
        resident: &'r Resident,
    ) -> Ledger<'r> {
        let arenas: Vec<Arena<'_>> = self.arenas().collect();
        let booked: Vec<(Ledger<'r>, Vec<Gap>)> = arenas
            .par_iter()
            .map(|arena| {
                let mut ledger = Ledger::new(resident);
                let own = own(&regions.pools, &arena.run());
                let whole = ledger.is_whole(&arena.run()) && own == [arena.run()];
                let gaps = self.spans(arena, &mut |span| {
                    let what = match span.used {
                        Use::Used => blocks
                            .owner(span.start, span.len)
                            .unwrap_or(What::Interpreter),
                        Use::Free | Use::Fresh if span.len < self.pool_size => What::PoolHoles,
                        Use::Free | Use::Fresh => What::EmptyPools,
                        Use::Overhead => What::PoolOverhead,
                    };
                    match whole {
                        true => ledger.add(what, span.len, span.len),
                        false => book(&mut ledger, own, what, span.start, span.len),
                    }
                });
                for gap in &gaps {
                    book(&mut ledger, own, What::Unknown, gap.start, gap.len);
                }
                (ledger, gaps)
            })
            .collect();
        let mut all = Ledger::new(resident);
        let mut gaps = Vec::new();
        for (ledger, more) in booked {
            all = all.join(&ledger);
            gaps.extend(more);
        }
        let few = gaps.iter().take(GAPS).map(|gap| gap.why.clone());
        self.problems.extend(few);
        if let Some(more @ 1..) = gaps.len().checked_sub(GAPS) {
            let problem = format!("{more} more places of Python's allocator are damaged");
            self.problems.push(problem);
        }
        all
    }

    /// What Python's allocator has from the system.
    fn arenas(&self) -> impl Iterator<Item = Arena<'_>> {
        let pools = self.pymalloc.arenas().map(Arena::Pools);
        pools.chain(self.mimalloc.all.iter().map(Arena::Pages))
    }

    fn spans(&self, arena: &Arena<'_>, tell: &mut dyn FnMut(Span)) -> Vec<Gap> {
        let (python, pieces) = (self.python, self.pieces);
        match arena {
            Arena::Pools(arena) => self.pymalloc.spans(pieces, arena, tell),
            Arena::Pages(segment) => self.mimalloc.spans(python, pieces, segment, tell),
        }
    }

    fn book_glibc<'r>(
        &self,
        glibc: &Glibc,
        regions: &Regions,
        blocks: &Blocks<'_, '_>,
        resident: &'r Resident,
    ) -> Ledger<'r> {
        let mut ledger = Ledger::new(resident);
        let all = glibc.regions();
        let ends: FxHashSet<Addr> = all.iter().map(|region| region.end).collect();
        for region in &all {
            // What is there cannot be told.
            let lost = region.lost.and_then(|at| Some((at, region.end.since(at)?)));
            if let Some((start, len)) = lost {
                book(&mut ledger, &regions.native, What::Unknown, start, len);
            }
        }
        glibc.each(self.pieces, &mut |span: Span| {
            let what = match span.used {
                Use::Used => blocks.owner(span.start, span.len).unwrap_or(What::Native),
                Use::Free | Use::Fresh if ends.contains(&span.start.add(span.len)) => {
                    What::NativeTop
                }
                Use::Free | Use::Fresh => What::NativeFree,
                Use::Overhead => What::NativeOverhead,
            };
            book(&mut ledger, &regions.native, what, span.start, span.len);
        });
        ledger
    }
}

/// What Python's allocator has from the system in one piece.
enum Arena<'b> {
    /// An arena of pymalloc.
    Pools(&'b ArenaObject),
    /// A segment of mimalloc.
    Pages(&'b Segment),
}

impl Arena<'_> {
    fn run(&self) -> Range<u64> {
        let (start, size) = match self {
            Arena::Pools(arena) => (arena.start, arena.size),
            Arena::Pages(segment) => (segment.start, segment.size),
        };
        start.0..start.0.saturating_add(size)
    }
}

/// The regions that have a part of a run.
fn own<'a>(regions: &'a [Range<u64>], run: &Range<u64>) -> &'a [Range<u64>] {
    let first = regions.partition_point(|region| region.end <= run.start);
    let behind = regions.partition_point(|region| region.start < run.end);
    regions.get(first..behind).unwrap_or_default()
}

/// Books what of a run is in the regions of its allocator.
fn book(ledger: &mut Ledger<'_>, regions: &[Range<u64>], what: What, start: Addr, len: u64) {
    let run = start.0..start.0.saturating_add(len);
    for region in own(regions, &run) {
        let (start, end) = (run.start.max(region.start), run.end.min(region.end));
        if start < end {
            ledger.book(what, Addr(start), end - start);
        }
    }
}
