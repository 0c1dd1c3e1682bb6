//! Types in C whose parts are just where pointers in their structs lead. The structs are the same in
//! every version, but for those that differ in their size.

use super::{Part, PartKind, Parts};
use crate::addr::Addr;
use crate::heap::trace::Broken;
use crate::python::layout::Layout;

/// A pointer in a struct, and how long what it leads to is.
#[derive(Clone, Copy, Debug)]
pub(in crate::heap) struct Word {
    /// Bytes behind the header.
    at: u64,
    len: Len,
    kind: PartKind,
}

#[derive(Clone, Copy, Debug)]
enum Len {
    /// A count in the struct, so many bytes behind the header, of items of so many bytes.
    Count(u64, u64),
    /// `ob_size` of the object that is so many bytes behind the header, of items of that many bytes.
    SizeOf(u64, u64),
    /// Nothing tells.
    Unknown,
}

const fn table(at: u64, len: Len) -> Word {
    Word {
        at,
        len,
        kind: PartKind::Table,
    }
}

const fn buffer(at: u64, len: Len) -> Word {
    Word {
        at,
        len,
        kind: PartKind::Buffer,
    }
}

/// `buffered { header; raw; ok; …; buffer; …; buffer_size; … }`
const BUFFERED: &[Word] = &[buffer(40, Len::Count(104, 1)), table(88, Len::Unknown)];

/// `simplequeueobject { header; has_threads_waiting; buf { put; get; items; items_cap; … }; … }`
const RING: &[Word] = &[table(24, Len::Count(32, 8))];

/// The smallest size of what is behind the header of a queue that has its items in a ring (3.13+).
const WITH_RING: u64 = 56;

/// The lock that follows the header.
const LOCK: &[Word] = &[table(0, Len::Unknown)];

/// Types by their full names, sorted.
const LISTED: &[(&str, &[Word])] = &[
    ("_io.BufferedRandom", BUFFERED),
    ("_io.BufferedReader", BUFFERED),
    ("_io.BufferedWriter", BUFFERED),
    // stringio { header; buf; pos; string_size; buf_size; … }
    ("_io.StringIO", &[buffer(0, Len::Count(24, 4))]),
    ("_struct.Struct", &[table(16, Len::Unknown)]),
    ("Struct", &[table(16, Len::Unknown)]),
    // { header; pool; indices; result; r; … }
    ("itertools.combinations", &[table(8, Len::Count(24, 8))]),
    (
        "itertools.combinations_with_replacement",
        &[table(8, Len::Count(24, 8))],
    ),
    // { header; pool; indices; cycles; result; r; … }
    (
        "itertools.permutations",
        &[table(8, Len::SizeOf(0, 8)), table(16, Len::Count(32, 8))],
    ),
    // { header; pools; indices; … }
    ("itertools.product", &[table(8, Len::SizeOf(0, 8))]),
    (
        "mmap.mmap",
        &[Word {
            at: 0,
            len: Len::Count(8, 1),
            kind: PartKind::Mapping,
        }],
    ),
];

/// The words of instances of a type, whose struct has so many bytes.
pub(super) fn words(name: &str, basic: u64, layout: &Layout) -> Option<&'static [Word]> {
    let f = &layout.fields;
    let behind = basic.saturating_sub(f.object.size.offset.into());
    let locked = match name {
        "_queue.SimpleQueue" if behind >= WITH_RING => return Some(RING),
        "_queue.SimpleQueue" => true,
        "_thread.lock" | "thread.lock" => f.lock.lock.is_some(),
        "_thread.RLock" => f.rlock.is_some_and(|rlock| rlock.lock.is_some()),
        _ => false,
    };
    let found = LISTED.iter().find(|(listed, _)| *listed == name);
    found.map(|(_, words)| *words).or(locked.then_some(LOCK))
}

impl Parts<'_, '_> {
    pub(super) fn plain(
        &self,
        addr: Addr,
        words: &[Word],
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        for word in words {
            let start = Addr(self.after(addr, word.at)?);
            if start.is_null() {
                continue;
            }
            let len = match word.len {
                Len::Count(at, size) => Some(self.after(addr, at)?.saturating_mul(size)),
                Len::SizeOf(at, size) => {
                    let other = Addr(self.after(addr, at)?);
                    let count = self.layout().fields.object.ob_size.of(other);
                    Some(self.word(count)?.saturating_mul(size))
                }
                Len::Unknown => None,
            };
            found(Part {
                start,
                len,
                kind: word.kind,
            });
        }
        Ok(())
    }
}
