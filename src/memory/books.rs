//! The allocators of a process, and the booking of what they tell.

use super::blocks::Blocks;
use super::claims::Claims;
use super::ledger::Ledger;
use super::what::What;
use crate::addr::Addr;
use crate::heap::alloc::glibc::{Figures, Glibc};
use crate::heap::alloc::{Span, Use};
use crate::heap::pieces::Pieces;
use crate::python::Python;
use rustc_hash::FxHashSet;
use std::ops::Range;

/// All allocators that were found.
pub(super) struct Books<'p, 'm> {
    pieces: &'p Pieces<'m>,
    glibc: Option<Glibc>,
    /// Another library than glibc that serves malloc.
    pub(super) other_malloc: Option<String>,
    /// What is wrong with them, in words.
    pub(super) problems: Vec<String>,
}

/// The regions of one allocator that are its alone: parts of what it says it has, if another one
/// was there before.
pub(super) struct Regions {
    native: Vec<Range<u64>>,
}

impl<'p, 'm> Books<'p, 'm> {
    /// Finds the allocators.
    pub(super) fn of(python: &Python, pieces: &'p Pieces<'m>) -> Books<'p, 'm> {
        let glibc = Glibc::find(&python.process, pieces);
        let problems = glibc.iter().flat_map(|glibc| glibc.problems.clone());
        Books {
            pieces,
            problems: problems.collect(),
            glibc,
            other_malloc: None,
        }
    }

    /// The figures of glibc's malloc.
    pub(super) fn figures(&self) -> Option<Figures> {
        let glibc = self.glibc.as_ref()?;
        Some(glibc.figures(self.pieces))
    }

    /// Claims what the allocators have.
    pub(super) fn claim(&self, claims: &mut Claims) -> Regions {
        let mut native = Vec::new();
        for region in self.glibc.iter().flat_map(Glibc::regions) {
            native.extend(claims.claim(region.start.0..region.end.0));
        }
        native.sort_unstable_by_key(|region: &Range<u64>| region.start);
        Regions { native }
    }

    /// Books all that the allocators tell.
    pub(super) fn book(&self, regions: &Regions, blocks: &Blocks<'_, '_>, ledger: &mut Ledger<'_>) {
        if let Some(glibc) = &self.glibc {
            self.book_glibc(glibc, regions, blocks, ledger);
        }
    }

    fn book_glibc(
        &self,
        glibc: &Glibc,
        regions: &Regions,
        blocks: &Blocks<'_, '_>,
        ledger: &mut Ledger<'_>,
    ) {
        let all = glibc.regions();
        let ends: FxHashSet<Addr> = all.iter().map(|region| region.end).collect();
        for region in &all {
            // What is there cannot be told.
            if let Some((lost, len)) = region.lost.and_then(|at| Some((at, region.end.since(at)?)))
            {
                ledger.book(What::Unknown, lost, len);
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
            book(ledger, &regions.native, what, span);
        });
    }
}

/// Books what of a span is in the regions of its allocator; these are by address.
fn book(ledger: &mut Ledger<'_>, regions: &[Range<u64>], what: What, span: Span) {
    let end = span.start.0.saturating_add(span.len);
    let first = regions.partition_point(|region| region.end <= span.start.0);
    for region in regions.iter().skip(first) {
        let (start, end) = (span.start.0.max(region.start), end.min(region.end));
        if start >= end {
            break;
        }
        ledger.book(what, Addr(start), end - start);
    }
}
