//! The memory of an object beside the object itself: where the block begins that an allocator gave
//! out for it, and the blocks that belong to it but are no objects, as the items of a list or the
//! data of an array. Sizes follow the functions that allocate them in CPython's own types, which
//! `python::object::size` mirrors for `sys.getsizeof`.

mod buffers;
mod capacity;
mod code;
mod forms;
mod free_lists;
mod plain;
mod reserved;
mod tables;
mod types;

pub(super) use capacity::Capacity;
pub(super) use forms::Form;
pub use free_lists::{FreeKind, FreeLists, free_lists};
pub use reserved::{Blocks, Reserved};

use super::pieces::{Pieces, Words};
use super::trace::{Broken, Follow, Tracer, WORD};
use super::types::Kind;
use crate::addr::Addr;
use crate::python::Python;
use crate::python::layout::{Field, Layout};
use crate::python::object::{AttributesAt, Objects, Quick};
use serde::Serialize;

/// What a block that belongs to an object is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// What the object is made of: references, keys, hashes, copies of its text.
    Table,
    /// The data of a buffer: bytes, numbers, elements. That of an `io.BytesIO` is an object itself.
    Buffer,
    /// A mapping of memory of its own.
    Mapping,
}

/// A block that belongs to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Where it begins: what the allocator returned.
    pub start: Addr,
    /// How many bytes were asked for; `None` where nothing in the object tells.
    pub len: Option<u64>,
    /// What it is for.
    pub kind: PartKind,
}

/// Finds the parts of objects.
pub struct Parts<'a, 'm> {
    tracer: Tracer<'a, 'm>,
}

impl<'a, 'm> Parts<'a, 'm> {
    /// Finds parts in this memory.
    pub fn new(python: &'a Python, pieces: &'a Pieces<'m>) -> Parts<'a, 'm> {
        Parts {
            tracer: Tracer::new(&python.objects, pieces, Follow::Everything),
        }
    }

    /// Where the block of the object at `addr` begins, as CPython sees it: debug hooks have another 16
    /// bytes in front. What is no object on the heap, as a static
    /// type, has none; then this is no block's address.
    #[inline]
    pub fn block_of(&self, addr: Addr, kind: &Kind) -> Addr {
        let before = match kind.form {
            Form::Type if !self.is_heap_type(addr) => 0,
            _ => kind.before,
        };
        addr.sub(before)
    }

    /// Tells every part of the object at `addr`; some may have been told when it turns out that the
    /// object is damaged.
    #[inline]
    pub fn each(
        &self,
        addr: Addr,
        kind: &Kind,
        found: &mut impl FnMut(Part),
    ) -> Result<(), Broken> {
        if kind.values_apart {
            self.instance_values(addr, kind, found)?;
        }
        match kind.form {
            Form::None => Ok(()),
            Form::List => self.list(addr, found),
            Form::Dict => self.dict(addr, found),
            Form::OpenDict { basic } => self.open_dict(addr, basic, found),
            Form::Set { basic } => self.set(addr, basic, found),
            Form::Str => self.str(addr, found),
            Form::OldStr => self.old_str(addr, found),
            Form::Ordered => self.ordered(addr, found),
            Form::Deque => self.deque(addr, found),
            Form::Type => self.class(addr, found),
            Form::Code => self.code(addr, found),
            Form::ByteArray { holder } => self.bytearray(addr, holder, found),
            Form::Array => self.array(addr, found),
            Form::BytesIo => self.bytes_io(addr, found),
            Form::NumpyArray => self.numpy_array(addr, found),
            Form::CData { basic } => self.c_data(addr, basic, found),
            Form::Decimal => self.decimal(addr, found),
            Form::Plain(words) => self.plain(addr, words, found),
        }
    }

    /// Bytes of the object's own block that were asked for; `None` where that is not known.
    fn own_len(&self, addr: Addr, kind: &Kind) -> Option<u64> {
        // Values of attributes that lie behind the object are told nowhere.
        let values = kind.keeping.ty.has_inline_values();
        match (kind.size, kind.form) {
            _ if values && !self.layout().free_threaded => None,
            (Quick::Fixed(len) | Quick::List(len) | Quick::Dict(len), _) => Some(len),
            (Quick::Set { fixed, .. }, _) => Some(fixed),
            (Quick::Int { .. } | Quick::Items { .. }, Form::None) => {
                self.tracer.size(addr, kind.size).ok().map(|(len, _)| len)
            }
            (Quick::Str { .. }, _) if !kind.keeping.ty.is_heap() => {
                let (len, _) = self.tracer.size(addr, kind.size).ok()?;
                let mut apart = 0u64;
                let told = self.each(addr, kind, &mut |part| {
                    apart = apart.saturating_add(part.len.unwrap_or(0));
                });
                told.ok().and_then(|()| len.checked_sub(apart))
            }
            _ => self.objects().plain_bytes(addr).ok(),
        }
    }

    fn objects(&self) -> &'a Objects {
        self.tracer.objects
    }

    fn pieces(&self) -> &'a Pieces<'m> {
        self.tracer.pieces
    }

    fn layout(&self) -> &'a Layout {
        &self.tracer.objects.layout
    }

    #[inline]
    fn word(&self, addr: Addr) -> Result<u64, Broken> {
        self.pieces().u64(addr).ok_or(Broken)
    }

    #[inline]
    fn pointer(&self, addr: Addr) -> Result<Addr, Broken> {
        self.word(addr).map(Addr)
    }

    /// The pointer in a field that this version may not have, unless it is NULL.
    fn known(&self, addr: Addr, field: Option<Field>) -> Result<Option<Addr>, Broken> {
        let Some(field) = field else {
            return Ok(None);
        };
        let pointer = self.pointer(field.of(addr))?;
        Ok(Some(pointer).filter(|pointer| !pointer.is_null()))
    }

    /// The word `offset` bytes behind the object's header.
    #[inline]
    fn after(&self, addr: Addr, offset: u64) -> Result<u64, Broken> {
        self.word(self.objects().after(addr, offset))
    }

    fn is_heap_type(&self, addr: Addr) -> bool {
        self.objects().type_at(addr).is_ok_and(|ty| ty.is_heap())
    }
}

/// Tells of a table, unless there is none.
#[inline]
fn table(start: Addr, len: u64, found: &mut impl FnMut(Part)) {
    if !start.is_null() {
        found(Part {
            start,
            len: Some(len),
            kind: PartKind::Table,
        });
    }
}

/// Tells of a buffer, unless there is none.
fn buffer(start: Addr, len: u64, found: &mut impl FnMut(Part)) {
    if !start.is_null() {
        found(Part {
            start,
            len: Some(len),
            kind: PartKind::Buffer,
        });
    }
}

/// Whether the values of attributes of instances may lie in a block of their own.
pub(super) fn has_values_apart(layout: &Layout, attributes: AttributesAt) -> bool {
    use crate::python::layout::Attributes::{TaggedWord, TwoWords};
    let apart = matches!(layout.kinds.attributes, TwoWords | TaggedWord);
    apart && attributes == AttributesAt::Managed
}
