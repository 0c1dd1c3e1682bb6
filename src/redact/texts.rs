//! The objects that have text or bytes: `str` with its copies in other encodings, `bytes`,
//! `bytearray`, arrays, the buffers of files and mappings, the code of regular expressions.

use super::blanks::Fill;
use super::bounds::{Wanted, What};
use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::parts::{Part, PartKind, Parts};
use crate::heap::pieces::Pieces;
use crate::heap::types::Kind;
use crate::python::object::{DUMMY, Objects, flags};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

/// Objects that one task looks at.
const BATCH: u32 = 1 << 14;

/// The longest text of a class.
const LONGEST: usize = 1 << 20;

/// Compiled regular expressions, which have the letters they look for.
const PATTERNS: [&str; 2] = ["re.Pattern", "_sre.SRE_Pattern"];

/// Bytes of a word of their code.
const CODE: u64 = 4;

/// What all objects have, but for those that are kept.
pub(super) fn of_objects(heap: &Heap, pieces: &Pieces<'_>, kept: &FxHashSet<Addr>) -> Vec<Wanted> {
    let texts = Texts::new(heap, pieces);
    let patterns: Vec<bool> = (0..heap.kinds().len() as u32)
        .map(|number| PATTERNS.contains(&&*heap.kind_name(number)))
        .collect();
    let batches = (0..heap.count().div_ceil(BATCH)).into_par_iter();
    let found = batches.map(|batch| {
        let mut found = Vec::new();
        let first = batch * BATCH;
        for id in first..heap.count().min(first.saturating_add(BATCH)) {
            let addr = heap.address(id);
            let Some(kind) = heap.kind(id).filter(|_| !kept.contains(&addr)) else {
                continue;
            };
            texts.of(addr, kind, &mut found);
            if patterns.get(heap.kind_number(id) as usize) == Some(&true) {
                found.extend(texts.pattern(addr));
            }
        }
        found
    });
    found.flatten_iter().collect()
}

/// Finds the text of objects.
pub(super) struct Texts<'h, 'm> {
    objects: &'h Objects,
    parts: Parts<'h, 'm>,
}

impl<'h, 'm> Texts<'h, 'm> {
    pub(super) fn new(heap: &'h Heap, pieces: &'h Pieces<'m>) -> Texts<'h, 'm> {
        Texts {
            objects: &heap.python.objects,
            parts: Parts::new(&heap.python, pieces),
        }
    }

    /// Whether instances of a type have text or data.
    pub(super) fn has_text(&self, kind: &Kind) -> bool {
        kind.keeping.ty.is(flags::STR | flags::BYTES)
    }

    /// The text in an object itself, or where it leads to.
    pub(super) fn own(&self, addr: Addr, kind: &Kind, found: &mut Vec<Wanted>) {
        let ty = &kind.keeping.ty;
        // By this string the sets of 2.7 are read.
        let is_dummy = !ty.is_heap() && self.objects.is_text(addr, DUMMY);
        if is_dummy {
            return;
        }
        if ty.is(flags::STR) {
            found.extend(self.text(addr));
        } else if ty.is(flags::BYTES) {
            found.extend(self.bytes(addr, What::String));
        } else if ty.is(flags::TYPE) {
            found.extend(self.docstring(addr));
        }
    }

    /// What an object has.
    pub(super) fn of(&self, addr: Addr, kind: &Kind, found: &mut Vec<Wanted>) {
        self.own(addr, kind, found);
        let is_text = kind.keeping.ty.is(flags::STR);
        let mut each = |part: Part| {
            let (start, len) = (part.start, part.len.unwrap_or(0));
            let (what, fill) = match part.kind {
                PartKind::Table if is_text => (What::Copy, Fill::BetweenZeros),
                PartKind::Table => return,
                PartKind::Buffer | PartKind::Mapping => (What::Buffer, Fill::Pages),
            };
            // The copy of a text, or the data of a buffer, may be an object of its own.
            let object = self.objects.type_of(start);
            let is_object = object.is_ok_and(|ty| ty.is(flags::BYTES));
            found.extend(match is_object {
                true => self.bytes(start, what),
                false => Wanted::of(start.0, len, fill, what),
            });
        };
        // What was told of a damaged object before the damage counts.
        let _ = self.parts.each(addr, kind, &mut each);
    }

    /// The characters of a `str`.
    pub(super) fn text(&self, addr: Addr) -> Option<Wanted> {
        let (data, count, width) = self.objects.string_data(addr).ok()?;
        let fill = Fill::Marks(width as u8);
        Wanted::of(data.0, count.saturating_mul(width), fill, What::String)
    }

    /// The bytes of a `bytes` object.
    pub(super) fn bytes(&self, addr: Addr, what: What) -> Option<Wanted> {
        let fields = &self.objects.layout.fields;
        let size = self.objects.memory.u64(fields.object.ob_size.of(addr));
        let data = fields.bytes.data.of(addr);
        Wanted::of(data.0, size.ok()?, Fill::Pages, what)
    }

    /// The copy that a class has of its docstring: `tp_doc` follows `tp_flags`.
    fn docstring(&self, addr: Addr) -> Option<Wanted> {
        let memory = &self.objects.memory;
        let flags = self.objects.layout.fields.type_object.flags.of(addr);
        let at = memory.ptr(flags.add(8)).ok().filter(|at| !at.is_null())?;
        let len = memory.cstr(at, LONGEST).ok()?.len() as u64;
        Wanted::of(at.0, len, Fill::BetweenZeros, What::Copy)
    }

    /// The code of a regular expression, which lies behind its struct.
    fn pattern(&self, addr: Addr) -> Option<Wanted> {
        let ty = self.objects.type_of(addr).ok()?;
        let count = self.objects.layout.fields.object.ob_size.of(addr);
        let len = self.objects.memory.u64(count).ok()?.saturating_mul(CODE);
        let start = addr.0.checked_add(u64::try_from(ty.basicsize).ok()?)?;
        Wanted::of(start, len, Fill::Zeros, What::Copy)
    }
}
