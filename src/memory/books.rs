//! The allocators of a process, and the booking of what they tell.

use super::blocks::Blocks;
use super::claims::Claims;
use super::ledger::Ledger;
use super::what::What;
use crate::addr::Addr;
use crate::heap::alloc::glibc::{Figures, Glibc};
use crate::heap::alloc::pymalloc::Pymalloc;
use crate::heap::alloc::{Span, Use};
use crate::heap::pieces::Pieces;
use crate::python::Python;
use crate::python::obmalloc::ArenaObject;
use crate::target::resident::Resident;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::ops::Range;

/// How many gaps in the books of one allocator are told one by one.
const GAPS: usize = 3;

/// All allocators that were found.
pub(super) struct Books<'p, 'm> {
    pieces: &'p Pieces<'m>,
    glibc: Option<Glibc>,
    pymalloc: Pymalloc,
    /// Another library than glibc that serves malloc.
    pub(super) other_malloc: Option<String>,
    /// What is wrong with them, in words.
    pub(super) problems: Vec<String>,
}

/// The parts of the address space that each allocator has alone, by address.
pub(super) struct Regions {
    pools: Vec<Range<u64>>,
    native: Vec<Range<u64>>,
}

impl<'p, 'm> Books<'p, 'm> {
    /// Finds the allocators.
    pub(super) fn of(python: &Python, pieces: &'p Pieces<'m>) -> Books<'p, 'm> {
        let glibc = Glibc::find(&python.process, pieces);
        let pymalloc = Pymalloc::of(python, pieces);
        let problems = glibc.iter().flat_map(|glibc| glibc.problems.clone());
        Books {
            pieces,
            problems: problems.chain(pymalloc.problems.clone()).collect(),
            glibc,
            pymalloc,
            other_malloc: None,
        }
    }

    /// The figures of glibc's malloc.
    pub(super) fn figures(&self) -> Option<Figures> {
        let glibc = self.glibc.as_ref()?;
        Some(glibc.figures(self.pieces))
    }

    /// Claims what the allocators have. Python's is asked first: it may have its arenas from malloc.
    pub(super) fn claim(&self, claims: &mut Claims) -> Regions {
        let mut claim = |runs: &mut dyn Iterator<Item = Range<u64>>| {
            let mut own: Vec<Range<u64>> = runs.flat_map(|run| claims.claim(run)).collect();
            own.sort_unstable_by_key(|run| run.start);
            own
        };
        let mut arenas = self.pymalloc.arenas().map(|arena| run(arena));
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
        let pool_size = self.pymalloc.pool_size.map_or(u64::MAX, u64::from);
        let arenas: Vec<&ArenaObject> = self.pymalloc.arenas().collect();
        let booked: Vec<(Ledger<'r>, Vec<String>)> = arenas
            .into_par_iter()
            .map(|arena| {
                let mut ledger = Ledger::new(resident);
                let own = own(&regions.pools, &run(arena));
                let whole = ledger.is_whole(&run(arena)) && own == [run(arena)];
                let gaps = self.pymalloc.spans(self.pieces, arena, &mut |span| {
                    let what = match span.used {
                        Use::Used => blocks.owner(span.start).unwrap_or(What::Interpreter),
                        Use::Free | Use::Fresh if span.len < pool_size => What::PoolHoles,
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
                (ledger, gaps.into_iter().map(|gap| gap.why).collect())
            })
            .collect();
        let mut all = Ledger::new(resident);
        let mut gaps = Vec::new();
        for (ledger, why) in booked {
            all = all.join(&ledger);
            gaps.extend(why);
        }
        if let Some(more @ 1..) = gaps.len().checked_sub(GAPS) {
            gaps.truncate(GAPS);
            gaps.push(format!("{more} more pools of pymalloc are damaged"));
        }
        self.problems.extend(gaps);
        all
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
                Use::Used => blocks.owner(span.start).unwrap_or(What::Native),
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

fn run(arena: &ArenaObject) -> Range<u64> {
    arena.start.0..arena.start.0.saturating_add(arena.size)
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
