//! `set` and `frozenset` (Objects/setobject.c): one open-addressed table of {key, hash}, in 2.7 of
//! {hash, key}. The struct is the same in every version but for its header.

use super::rows::{Array, Rows};
use super::{Objects, malformed};
use crate::addr::Addr;
use crate::python::layout::DictKind;
use crate::target::Fault;

/// The hash in the place of an element that was removed, from 3.0 on; no object has this hash.
const REMOVED: u64 = u64::MAX;

/// The element that stands for a removed one in 2.7.
pub(crate) const DUMMY: &str = "<dummy key>";

/// The largest table of a set.
const MOST_SLOTS: u64 = 1 << 36;

/// Walks the elements of a set, in the order of its table. After a fault it ends.
pub struct SetItems<'o> {
    objects: &'o Objects,
    rows: Rows<'o>,
    /// The hash comes first, and removed elements are [`DUMMY`].
    hash_first: bool,
    /// Whether any element was removed.
    holes: bool,
}

/// The words of a `PySetObject` behind its header.
struct Header {
    /// Slots that are or were used.
    fill: u64,
    used: u64,
    mask: u64,
    table: Addr,
}

impl Objects {
    /// How many elements the set at `addr` has.
    pub fn set_len(&self, addr: Addr) -> Result<u64, Fault> {
        Ok(self.set_header(addr)?.used)
    }

    /// Walks the elements of the set at `addr`; its type is the caller's to know.
    pub fn set_iter(&self, addr: Addr) -> Result<SetItems<'_>, Fault> {
        let header = self.set_header(addr)?;
        let table = Array {
            at: header.table,
            count: header.mask + 1,
            stride: 16,
            offset: 0,
        };
        Ok(SetItems {
            objects: self,
            rows: self.rows(table),
            hash_first: self.layout.kinds.dict == DictKind::Open,
            holes: header.fill != header.used,
        })
    }

    /// The elements of the set at `addr`, at most `most` of them.
    pub fn set_items(&self, addr: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        if !self.is_builtin(addr, &["set", "frozenset"])? {
            return Err(malformed(addr));
        }
        self.set_iter(addr)?.take(most).collect()
    }

    fn set_header(&self, addr: Addr) -> Result<Header, Fault> {
        let word = |index: u64| self.memory.u64(self.after(addr, index * 8));
        let header = Header {
            fill: word(0)?,
            used: word(1)?,
            mask: word(2)?,
            table: Addr(word(3)?),
        };
        let slots = header.mask.checked_add(1);
        let sound = slots.is_some_and(|slots| slots.is_power_of_two() && slots <= MOST_SLOTS);
        let filled = header.used <= header.fill && header.fill <= header.mask;
        match sound && filled && self.plausible(header.table, header.mask + 1, 16).is_ok() {
            true => Ok(header),
            false => Err(malformed(addr)),
        }
    }
}

impl Iterator for SetItems<'_> {
    type Item = Result<Addr, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (first, second) = match self.rows.next()? {
                Ok(row) => row,
                Err(fault) => return Some(Err(fault)),
            };
            let (key, removed) = match self.hash_first {
                true => (
                    second,
                    self.holes && !second.is_null() && self.objects.is_text(second, DUMMY),
                ),
                false => (first, second.0 == REMOVED),
            };
            if !key.is_null() && !removed {
                return Some(Ok(key));
            }
        }
    }
}
