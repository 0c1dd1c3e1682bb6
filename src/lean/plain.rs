//! Memory that no object has and in which nothing looks like an address: large blocks of allocators in use
//! or given back, and what is shared with other processes. Pages with addresses stay, for allocators,
//! locks and tables of the interpreter may lie there.

use super::insides::{Insides, LEAST, PAGE};
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::alloc::{Span, Use};
use crate::heap::pieces::Pieces;
use crate::memory::{Allocator, Blocks, Books, Claims};
use crate::native::Process;
use crate::target::dumped::within;
use std::sync::{Mutex, PoisonError};

/// Blocks without an owner.
pub(super) fn blocks(heap: &Heap, pieces: &Pieces<'_>, insides: &mut Insides<'_>) {
    let books = Books::of(&heap.python, pieces);
    let mut claims = Claims::default();
    books.claim(&mut claims);
    let blocks = Blocks::of(heap, pieces, &claims);
    let large = Mutex::new(Vec::new());
    books.each(&|allocator, span: Span| {
        let wanted = match span.used {
            _ if span.len < LEAST => false,
            Use::Used => blocks.owner(span.start, span.len).is_none(),
            Use::Free => allocator == Allocator::Glibc,
            Use::Fresh | Use::Overhead => false,
        };
        if wanted {
            large
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(span);
        }
    });
    let large = large.into_inner().unwrap_or_else(PoisonError::into_inner);
    for span in large {
        without_addresses(&heap.python.process, pieces, span.start, span.len, insides);
    }
}

/// Memory that is shared.
pub(super) fn shared(process: &Process, pieces: &Pieces<'_>, insides: &mut Insides<'_>) {
    let shared = process.target.mappings.iter();
    for mapping in shared.filter(|mapping| mapping.shared && mapping.len() >= LEAST) {
        without_addresses(process, pieces, mapping.start, mapping.len(), insides);
    }
}

/// Adds the runs of pages of a run without any address.
fn without_addresses(
    process: &Process,
    pieces: &Pieces<'_>,
    start: Addr,
    len: u64,
    insides: &mut Insides<'_>,
) {
    let whole = start.0..start.0.saturating_add(len);
    for piece in within(process.target.dumped(), whole) {
        let (from, to) = (piece.range.start, piece.range.end);
        let mut plain = from;
        let mut at = from;
        while at < to {
            let next = (at - at % PAGE).saturating_add(PAGE).min(to);
            if has_address(process, pieces, at, next - at) {
                insides.add(plain, at - plain);
                plain = next;
            }
            at = next;
        }
        insides.add(plain, to - plain);
    }
}

/// Whether a word of a page is an address of something.
fn has_address(process: &Process, pieces: &Pieces<'_>, at: u64, len: u64) -> bool {
    let Some(bytes) = pieces.bytes(Addr(at), len as usize) else {
        return true;
    };
    let words = bytes.as_chunks::<8>().0.iter();
    let mut words = words.map(|word| u64::from_le_bytes(*word));
    // No program has anything in the first pages, and none uses addresses beyond the 47th bit.
    words.any(|word| {
        (1 << 16..1 << 47).contains(&word) && process.target.mapping(Addr(word)).is_some()
    })
}
