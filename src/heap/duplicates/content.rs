//! Where the value of an object lies: the characters of a string, bytes, digits, all in one place,
//! so that two values of one type are equal if these bytes are (and what is told beside them).

use crate::addr::Addr;
use crate::bytes;
use crate::heap::Heap;
use crate::heap::pieces::{Pieces, Words};
use crate::python::layout::StrKind;
use crate::python::object::{Objects, TypeInfo};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Bytes that are looked at together.
const AT_ONCE: u64 = 1 << 16;

/// How instances of a type keep their value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// Characters of one, two or four bytes.
    Str,
    /// `ob_size` bytes.
    Bytes,
    /// Digits, and a sign.
    Int,
    /// So many bytes behind the header: a C number.
    Number(u64),
    /// Other objects.
    Tuple,
}

/// The shape of instances of a type of CPython's own; subclasses may have more than a value.
pub(super) fn shape(objects: &Objects, ty: &TypeInfo) -> Option<Shape> {
    if ty.is_heap() {
        return None;
    }
    let old = objects.layout.kinds.str == StrKind::Pointer;
    match &*objects.full_name(ty) {
        "str" if old => Some(Shape::Bytes),
        "str" | "unicode" => Some(Shape::Str),
        "bytes" => Some(Shape::Bytes),
        "int" if old => Some(Shape::Number(8)),
        "int" | "long" => Some(Shape::Int),
        "float" => Some(Shape::Number(8)),
        "tuple" => Some(Shape::Tuple),
        _ => None,
    }
}

/// Where a value lies.
struct Content {
    data: Addr,
    len: u64,
    /// What the bytes mean: the width of characters, the sign of a number.
    tag: u64,
}

/// Reads, hashes and compares values.
pub(super) struct Contents<'h, 'm> {
    heap: &'h Heap,
    pieces: &'h Pieces<'m>,
    /// By the number of the type.
    shapes: Vec<Option<Shape>>,
    /// The target cannot know these keys, so not choose values with one hash.
    keys: RandomState,
}

impl<'h, 'm> Contents<'h, 'm> {
    pub(super) fn new(heap: &'h Heap, pieces: &'h Pieces<'m>) -> Contents<'h, 'm> {
        let objects = &heap.python.objects;
        let kinds = heap.kinds().iter();
        Contents {
            heap,
            pieces,
            shapes: kinds.map(|kind| shape(objects, &kind.keeping.ty)).collect(),
            keys: RandomState::new(),
        }
    }

    pub(super) fn shape(&self, id: u32) -> Option<Shape> {
        let number = self.heap.kind_number(id) as usize;
        self.shapes.get(number).copied().flatten()
    }

    /// A hash of the value of an object that is no tuple; `None` where it cannot be read.
    pub(super) fn hash(&self, id: u32) -> Option<u64> {
        let content = self.of(id)?;
        let mut hasher = self.keys.build_hasher();
        hasher.write_u32(self.heap.kind_number(id));
        hasher.write_u64(content.tag);
        hasher.write_u64(content.len);
        for (at, len) in chunks(&content) {
            hasher.write(&self.pieces.bytes(at, len)?);
        }
        Some(hasher.finish())
    }

    /// Whether two objects that are no tuples have the same type and value.
    pub(super) fn is_same(&self, one: u32, other: u32) -> bool {
        let (Some(a), Some(b)) = (self.of(one), self.of(other)) else {
            return false;
        };
        let kinds = self.heap.kind_number(one) == self.heap.kind_number(other);
        let alike = kinds && (a.tag, a.len) == (b.tag, b.len);
        alike
            && chunks(&a).zip(chunks(&b)).all(|((at, len), (other, _))| {
                let bytes = self.pieces.bytes(at, len);
                bytes.is_some() && bytes == self.pieces.bytes(other, len)
            })
    }

    /// A hash of a tuple by what stands for its items; `None` where not all of them are known.
    pub(super) fn hash_items(&self, id: u32, same: &[u32]) -> Option<u64> {
        let ob_size = self.heap.python.layout.fields.object.ob_size;
        let items = self.heap.references().targets_of(id);
        let count = self.pieces.u64(ob_size.of(self.heap.address(id)))?;
        if count != items.len() as u64 {
            return None;
        }
        let mut hasher = self.keys.build_hasher();
        for item in items {
            hasher.write_u32(*same.get(*item as usize)?);
        }
        Some(hasher.finish())
    }

    /// Whether two tuples have the same items.
    pub(super) fn has_same_items(&self, one: u32, other: u32, same: &[u32]) -> bool {
        let items = |id: u32| {
            let items = self.heap.references().targets_of(id).iter();
            items.map(|item| same.get(*item as usize))
        };
        items(one).eq(items(other))
    }

    fn of(&self, id: u32) -> Option<Content> {
        let at = self.heap.address(id);
        let objects = &self.heap.python.objects;
        let f = &objects.layout.fields;
        let size = || self.pieces.u64(f.object.ob_size.of(at));
        let content = match self.shape(id)? {
            Shape::Tuple => return None,
            Shape::Str => self.characters(at)?,
            Shape::Bytes => Content {
                data: f.bytes.data.of(at),
                len: size()?,
                tag: 0,
            },
            Shape::Number(len) => Content {
                data: objects.after(at, 0),
                len,
                tag: 0,
            },
            Shape::Int => {
                const DIGIT: u64 = 4;
                const SIGN: u64 = 3;
                let (count, tag) = match f.int.tag {
                    Some(tag) => {
                        let tag = self.pieces.u64(tag.of(at))?;
                        (tag >> 3, tag & SIGN)
                    }
                    None => {
                        let size = size()? as i64;
                        (size.unsigned_abs(), u64::from(size < 0))
                    }
                };
                Content {
                    data: f.int.digits.of(at),
                    len: count.saturating_mul(DIGIT),
                    tag,
                }
            }
        };
        // What is damaged may claim any length.
        let believed = content.len <= AT_ONCE || self.pieces.reaches(content.data, content.len);
        believed.then_some(content)
    }

    /// The characters of a string.
    fn characters(&self, at: Addr) -> Option<Content> {
        let objects = &self.heap.python.objects;
        let f = &objects.layout.fields.str;
        if let (Some(state), Some(ascii_data)) = (f.state, f.ascii_data) {
            let header = self.pieces.bytes(at, ascii_data.index())?;
            let state = bytes::u32_at(&header, state.index())?;
            let state = match objects.layout.kinds.str {
                StrKind::BitsAfterInterned => state >> 8,
                _ => state >> 2,
            };
            const COMPACT_ASCII: u32 = 1 | 1 << 3 | 1 << 4;
            if state & 0x1f == COMPACT_ASCII {
                return Some(Content {
                    data: ascii_data.of(at),
                    len: bytes::u64_at(&header, f.length.index())?,
                    tag: 1,
                });
            }
        }
        let (data, length, width) = objects.string_data(at).ok()?;
        Some(Content {
            data,
            len: length.checked_mul(width)?,
            tag: width,
        })
    }
}

/// The bytes of a value in some pieces.
fn chunks(content: &Content) -> impl Iterator<Item = (Addr, usize)> + use<> {
    let (data, len) = (content.data, content.len);
    (0..len.div_ceil(AT_ONCE)).map(move |number| {
        let start = number * AT_ONCE;
        (data.add(start), (len - start).min(AT_ONCE) as usize)
    })
}
