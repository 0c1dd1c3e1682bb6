//! Whether a Python object lies somewhere, told from the outside: its type pointer leads to a type,
//! whose own type leads to `type`, which is its own type (Include/object.h); its reference count
//! is no pointer; and it has room where it is.

use crate::addr::Addr;
use crate::python::layout::IntKind;
use crate::python::object::{Objects, TypeInfo, flags};
use crate::python::obmalloc;
use serde::Serialize;
use std::sync::Arc;

/// Bits of a reference count's word that are 0 in every version, but not in a pointer: above the
/// count of 32 bits, below the flags of 3.14.
const NEVER_COUNTED: u64 = 0xffff << 32;
/// Linux maps nothing below.
const LOWEST_POINTER: u64 = 1 << 16;
/// The metaclasses between a class and `type`.
const MOST_METACLASSES: usize = 8;
/// What may lie before an object in its block: header of the garbage collector (16 bytes, 32 up to
/// 3.7), dictionary and weak references (16 bytes, 3.11+).
const PREHEADERS: [u64; 3] = [16, 32, 48];

/// An object that an address is in.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectAt {
    /// Where the object begins: its `id()`.
    pub start: Addr,
    /// The full name of its type.
    #[serde(rename = "type")]
    pub class: String,
    /// Bytes from its start to the address; negative in what lies before it.
    pub offset: i64,
    /// Its reference count is 0: it is kept on a free list or being destroyed.
    pub dead: bool,
}

/// The object that begins at `start` and fits into `room` bytes, if one does.
fn at(objects: &Objects, start: Addr, room: u64) -> Option<(Arc<TypeInfo>, bool)> {
    let object = &objects.layout.fields.object;
    let dead = match object.ob_type.of(start).sub(8) == start {
        // With GIL the reference count is the word before the type.
        true => {
            let count = objects.memory.u64(start).ok()?;
            let low = Addr(count & 0xffff_ffff);
            // Executables that are not position-independent lie at such small addresses, and
            // tables of their types look like objects.
            let pointer = low.0 >= LOWEST_POINTER && objects.memory.u8(low).is_ok();
            if count & NEVER_COUNTED != 0 || pointer {
                return None;
            }
            count & 0xffff_ffff == 0
        }
        false => false,
    };
    let ty = objects.type_of(start).ok()?;
    let smallest = object.size.of(Addr::NULL).0;
    let size = match objects.layout.fields.str.ascii_data {
        // Compact strings are shorter than the struct that their type is measured by.
        Some(data) if ty.is(flags::STR) => data.of(Addr::NULL).0,
        _ => u64::try_from(ty.basicsize).ok()?,
    };
    if size < smallest || size > room || ty.name.is_none() && !ty.is_heap() {
        return None;
    }
    let mut meta = objects.type_of(ty.addr).ok()?;
    if !meta.is(flags::TYPE) {
        return None;
    }
    for _ in 0..MOST_METACLASSES {
        let above = objects.type_of(meta.addr).ok()?;
        if above.addr == meta.addr {
            return above.is(flags::TYPE).then_some((ty, dead));
        }
        meta = above;
    }
    None
}

fn found(objects: &Objects, start: Addr, ty: &TypeInfo, dead: bool, address: Addr) -> ObjectAt {
    ObjectAt {
        start,
        class: objects.full_name(ty).to_string(),
        offset: address.0.wrapping_sub(start.0) as i64,
        dead,
    }
}

/// The object that begins exactly at `start`, with `address` in it.
pub(super) fn exactly(objects: &Objects, start: Addr, address: Addr) -> Option<ObjectAt> {
    if !start.0.is_multiple_of(8) {
        return None;
    }
    let (ty, dead) = at(objects, start, u64::MAX)?;
    Some(found(objects, start, &ty, dead, address))
}

/// The object in an allocated block, which begins at its start or behind a header.
pub(super) fn in_block(
    objects: &Objects,
    block: Addr,
    size: u64,
    address: Addr,
    collecting: bool,
) -> Option<ObjectAt> {
    // A large block has hooks of pymalloc, and around them those of malloc.
    let (block, size) = without_hooks(objects, block, size);
    let (block, size) = without_hooks(objects, block, size);
    let headed = |start: u64| {
        let (ty, dead) = at(objects, block.add(start), size.checked_sub(start)?)?;
        // Without a GIL nothing but dictionaries and weak references lies before an object.
        let gil = objects.layout.kinds.pool_size.is_some();
        let collected = ty.is(flags::HAVE_GC);
        // A collection takes the links of the objects it looks at apart.
        let linked = || start == 0 || collecting || has_header(objects, block.add(start));
        let fits = !gil || collected == (start > 0) && linked();
        fits.then(|| found(objects, block.add(start), &ty, dead, address))
    };
    let first = headed(0);
    first.or_else(|| PREHEADERS.into_iter().find_map(headed))
}

/// Whether the header of the garbage collector lies before the object: of two words from 3.8 on,
/// of three in 32 bytes before. Either the object is not tracked, or the next one's header points
/// back to it; the lowest two bits of the links are flags.
fn has_header(objects: &Objects, object: Addr) -> bool {
    const UNTRACKED: [i64; 2] = [-2, -4];
    let memory = &objects.memory;
    let link = |at: Addr| memory.u64(at).ok().map(|word| word & !3);
    let tracked = |head: Addr| {
        let next = link(head).map(Addr).filter(|next| !next.is_null());
        next.is_some_and(|next| link(next.add(8)) == Some(head.0))
    };
    let (short, long) = (object.sub(16), object.sub(32));
    let state = memory.i64(long.add(16));
    let untracked = state.is_ok_and(|state| UNTRACKED.contains(&(state & !1)));
    tracked(short) || tracked(long) || link(short) == Some(0) || untracked
}

/// Numbers of 2.7, of which `int` and `float` allocate many at once (Objects/intobject.c,
/// Objects/floatobject.c: `struct { block *next; object objects[N]; }`).
pub(super) fn in_number_block(objects: &Objects, block: Addr, address: Addr) -> Option<ObjectAt> {
    const LINK: u64 = 8;
    const NUMBER: u64 = 24;
    if objects.layout.kinds.int != IntKind::TwoTypes {
        return None;
    }
    let into = address.since(block)?.checked_sub(LINK)?;
    let start = block.add(LINK + into / NUMBER * NUMBER);
    let found = exactly(objects, start, address)?;
    matches!(&*found.class, "int" | "float").then_some(found)
}

/// The part of a block that its user sees when CPython's debug hooks are on.
fn without_hooks(objects: &Objects, block: Addr, size: u64) -> (Addr, u64) {
    let Ok(raw) = objects.memory.bytes(block, obmalloc::HEAD as usize) else {
        return (block, size);
    };
    match obmalloc::asked(&raw, size) {
        Some(asked) => (block.add(obmalloc::HEAD), asked),
        None => (block, size),
    }
}
