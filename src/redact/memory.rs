//! Memory by the books of allocators: what was given back is overwritten, blocks in use that no object
//! is known to have are looked at, and so is what is left of calls below the stacks' ends.

use super::blanks::Blanks;
use super::environment::Environment;
use super::texts;
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::alloc::{Span, Use};
use crate::heap::pieces::{Pieces, Words};
use crate::memory::Books;
use crate::native::Process;
use crate::python::object::flags;
use std::sync::{Mutex, PoisonError};

/// What allocators keep in free blocks: links at the start, in large ones more of them, and their size
/// at the end.
const LINKS: u64 = 16;
const LINKS_OF_LARGE: u64 = 32;
const LARGE: u64 = 1024;
const SIZE: u64 = 8;

/// How much of a block is compared with arguments and variables.
const MOST_COMPARED: u64 = 4 << 17;

/// What the x86-64 ABI lets a function use below the stack pointer.
const RED_ZONE: u64 = 128;

/// Blanks free memory, and what nobody is known to have and looks like text.
pub(super) fn blank(
    heap: &Heap,
    pieces: &Pieces<'_>,
    environment: &Environment,
    blanks: &mut Blanks<'_>,
) {
    let objects = &heap.python.objects;
    let types: Vec<(Addr, bool)> = (heap.kinds().iter())
        .map(|kind| &kind.keeping.ty)
        .filter(|ty| !ty.is_heap() && (ty.is(flags::STR) || ty.is(flags::BYTES)))
        .map(|ty| (ty.addr, ty.is(flags::STR)))
        .collect();
    let blanks = Mutex::new(blanks);
    let type_at = &objects.layout.fields.object.ob_type;
    let look = |span: Span| {
        let own = || blanks.lock().unwrap_or_else(PoisonError::into_inner);
        if span.used != Use::Used {
            free(&span, &mut own());
            return;
        }
        if heap.id(span.start).is_some() {
            return;
        }
        let ty = pieces.u64(type_at.of(span.start)).map(Addr);
        let known = types.iter().find(|(addr, _)| Some(*addr) == ty);
        match known {
            Some((_, true)) => texts::text(objects, span.start, &mut own()),
            Some((_, false)) => texts::bytes(objects, span.start, &mut own()),
            None => {
                let len = span.len.min(MOST_COMPARED) as usize;
                let block = pieces.bytes(span.start, len);
                let text = block.and_then(|block| environment.begins(&block));
                if let Some(len) = text {
                    own().marks_between_zeros(span.start, len);
                }
            }
        }
    };
    Books::of(&heap.python, pieces).each(&look);
}

fn free(span: &Span, blanks: &mut Blanks<'_>) {
    let links = match span.used {
        Use::Free | Use::Fresh if span.len >= LARGE => LINKS_OF_LARGE,
        Use::Free | Use::Fresh => LINKS,
        Use::Used | Use::Overhead => return,
    };
    if let Some(len) = span.len.checked_sub(links + SIZE) {
        blanks.zeros(span.start.add(links), len);
    }
}

/// Blanks what is left of calls that have returned, on the stacks that glibc or the kernel made.
pub(super) fn blank_stacks(process: &Process, blanks: &mut Blanks<'_>) {
    for (thread, native) in process.target.threads.iter().zip(process.threads()) {
        let Some(sp) = thread.registers.and_then(|registers| registers.sp()) else {
            continue;
        };
        let Some(mapping) = process.target.mapping(sp).filter(|mapping| mapping.write) else {
            continue;
        };
        // glibc puts what belongs to a thread above its stack.
        let own = native
            .pthread
            .is_some_and(|at| at > sp && mapping.contains(at));
        let first = mapping.path.as_deref() == Some("[stack]");
        let end = sp.0.saturating_sub(RED_ZONE);
        if let Some(len) = end.checked_sub(mapping.start.0).filter(|_| own || first) {
            blanks.zeros(mapping.start, len);
        }
    }
}
