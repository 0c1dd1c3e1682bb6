//! To which object a block belongs that is none itself: the keys of which dictionary, the items of
//! which list. Nothing leads back from such a block, so memory is searched for the pointer to it.

use super::object;
use crate::addr::Addr;
use crate::python::layout::Field;
use crate::python::object::flags;
use crate::python::{Python, scan};
use rustc_hash::FxHashSet;
use serde::Serialize;

/// The object that a block belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Part {
    /// What the block is to it: `keys`, `items`.
    pub part: &'static str,
    /// The object.
    pub start: Addr,
    /// The full name of its class.
    #[serde(rename = "type")]
    pub class: String,
}

/// How far into a block the pointer to it may lead: values of dictionaries have their order in
/// front of them (3.11, 3.12), and debug hooks their marks.
const PREFIX: u64 = 64;

/// The most memory that is searched in a live process, whose pages must be copied for it.
const MOST_SEARCHED_LIVE: u64 = 1 << 30;

impl Python {
    /// The object that the block at `block` belongs to.
    pub(super) fn part_of(&self, block: Addr) -> Option<Part> {
        let target = &self.process.target;
        let writable = target.mappings.iter().filter(|m| m.write && !m.shared);
        let size: u64 = writable.map(|mapping| mapping.len()).sum();
        if target.is_live() && size > MOST_SEARCHED_LIVE {
            return None;
        }
        let starts = (0..=PREFIX).step_by(8).map(|offset| block.add(offset).0);
        let starts: FxHashSet<u64> = starts.collect();
        let mut found = None;
        scan::each_holder(target, &starts, &mut |at| {
            found = found.take().or_else(|| self.owner(at));
        });
        found
    }

    /// The object whose pointer at `at` leads to a block of its own.
    fn owner(&self, at: Addr) -> Option<Part> {
        /// `setentry *table` behind {fill, used, mask} (Include/cpython/setobject.h).
        const SET_TABLE: u64 = 24;
        let f = &self.layout.fields;
        let head = f.object.size.of(Addr::NULL).0;
        let field = |field: Option<Field>| field.map(|field| u64::from(field.offset));
        let candidates = [
            ("keys", field(f.dict.keys), flags::DICT),
            ("values", field(f.dict.values), flags::DICT),
            ("table", field(f.dict.table), flags::DICT),
            ("items", field(Some(f.list.items)), flags::LIST),
            (
                "shared keys of the instances",
                field(f.type_object.cached_keys),
                flags::TYPE,
            ),
            ("table", Some(head + SET_TABLE), 0),
            ("bytes", field(Some(f.bytearray.start)), 0),
            ("first block", field(Some(f.deque.left_block)), 0),
        ];
        candidates.into_iter().find_map(|(part, offset, flag)| {
            let start = Addr(at.0.checked_sub(offset?)?);
            let found = object::exactly(&self.objects, start, start)?;
            let ty = self.objects.type_of(start).ok()?;
            let is = |name: &str| self.objects.is_a(&ty, name);
            let fits = match (part, flag) {
                ("table", 0) => is("set") || is("frozenset"),
                ("bytes", 0) => is("bytearray"),
                (_, 0) => is("collections.deque"),
                (_, flag) => ty.is(flag),
            };
            // What is left of freed objects may look like one as well.
            let lives = !found.dead && self.objects.is_object(start);
            (fits && lives).then_some(Part {
                part,
                start,
                class: found.class,
            })
        })
    }
}
