//! Memory by the books of allocators: what was given back is overwritten, blocks bound what objects
//! have, and those that no object is known to have are looked at.

use super::blanks::{Fill, Run};
use super::bounds::{Bounds, Loose, Wanted};
use super::unowned::Unowned;
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::alloc::{Span, Use};
use crate::heap::parts::Parts;
use crate::heap::pieces::Pieces;
use crate::memory::{Allocator, Blocks, Books, Claims};
use crate::sum::Sum;
use std::sync::{Mutex, PoisonError};

/// What is kept of free memory for the allocator's books.
struct Own {
    /// Links at the start.
    links: u64,
    /// More of them in what is at least so large.
    large: u64,
    links_of_large: u64,
    /// The size at the end.
    size: u64,
}

/// By allocator: pymalloc's free pools have a header, glibc's large chunks links by size, and the size
/// behind.
fn own(allocator: Allocator) -> Own {
    match allocator {
        Allocator::Pymalloc => Own {
            links: 8,
            large: 4096,
            links_of_large: 48,
            size: 0,
        },
        Allocator::Mimalloc => Own {
            links: 8,
            large: u64::MAX,
            links_of_large: 8,
            size: 0,
        },
        Allocator::Glibc => Own {
            links: 16,
            large: 1024,
            links_of_large: 32,
            size: 8,
        },
    }
}

/// What was found in the allocators' memory.
#[derive(Default)]
pub(super) struct Swept {
    pub(super) runs: Vec<Run>,
    /// Memory that was given back.
    pub(super) free: Sum,
    pub(super) strings: Sum,
    pub(super) texts: Sum,
}

/// The allocators, and what they have.
pub(super) struct Memory<'h, 'm> {
    heap: &'h Heap,
    pieces: &'h Pieces<'m>,
    books: Books<'h, 'm>,
    claims: Claims,
}

impl<'h, 'm> Memory<'h, 'm> {
    pub(super) fn of(heap: &'h Heap, pieces: &'h Pieces<'m>) -> Memory<'h, 'm> {
        let books = Books::of(&heap.python, pieces);
        let mut claims = Claims::default();
        books.claim(&mut claims);
        Memory {
            heap,
            pieces,
            books,
            claims,
        }
    }

    /// What is wrong with the books: what is there may remain as it is.
    pub(super) fn problems(&self) -> Vec<String> {
        let problems = self.books.problems.iter().cloned();
        let other = self.books.other_malloc.iter().map(|server| {
            format!(
                "malloc is served by {}: memory that was given back to it is not known, and stays as it was",
                server.library.name()
            )
        });
        problems.chain(other).collect()
    }

    /// Looks at all blocks: bounds what is wanted, and finds free memory and texts without an owner.
    pub(super) fn sweep(&self, bounds: &Bounds, unowned: &Unowned<'_, '_, '_>) -> Swept {
        let blocks = Blocks::of(self.heap, self.pieces, &self.claims);
        let swept = Mutex::new(Swept::default());
        self.books.each(&|allocator, span: Span| {
            let swept = || swept.lock().unwrap_or_else(PoisonError::into_inner);
            match span.used {
                Use::Overhead => {}
                Use::Free | Use::Fresh => {
                    // What begins there is gone with the rest.
                    let own = own(allocator);
                    if let Some(run) = own.rest(&span) {
                        let mut swept = swept();
                        swept.free.add(run.end - run.start);
                        swept.runs.push(run);
                    }
                    bounds.block(span.start.0, span.start.0.saturating_add(span.len));
                }
                Use::Used => {
                    let end = span.start.0.saturating_add(span.len);
                    if bounds.block(span.start.0, end)
                        || blocks.owner(span.start, span.len).is_some()
                    {
                        return;
                    }
                    if let Some((run, is_string)) = unowned.look(&span) {
                        let mut swept = swept();
                        let bytes = run.end - run.start;
                        match is_string {
                            true => swept.strings.add(bytes),
                            false => swept.texts.add(bytes),
                        }
                        swept.runs.push(run);
                    }
                }
            }
        });
        swept.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where what lies in no block ends at the latest.
    pub(super) fn loose(&self, wanted: &Wanted) -> Loose {
        let process = &self.heap.python.process;
        let at = Addr(wanted.run.start);
        let Some(mapping) = process.target.mapping(at) else {
            return Loose::Constant;
        };
        let of_file =
            mapping.file().is_some() && !mapping.shared || process.images.at(at).is_some();
        if !mapping.write || of_file {
            return Loose::Constant;
        }
        if self.claims.holds(at.0) {
            return Loose::Unknown;
        }
        let next = self.next_block(at);
        let end = next.map_or(mapping.end, |next| next.min(mapping.end));
        Loose::Until(end.0)
    }

    /// Where the block of the next object behind an address begins.
    fn next_block(&self, at: Addr) -> Option<Addr> {
        let id = self.heap.next(at)?;
        let kind = self.heap.kind(id)?;
        let parts = Parts::new(&self.heap.python, self.pieces);
        Some(parts.block_of(self.heap.address(id), kind))
    }
}

impl Own {
    /// What of free memory is not the allocator's own.
    fn rest(&self, span: &Span) -> Option<Run> {
        let links = match span.len >= self.large {
            true => self.links_of_large,
            false => self.links,
        };
        let len = span.len.checked_sub(links + self.size)?;
        Run::of(span.start.0.checked_add(links)?, len, Fill::Zeros)
    }
}
