//! What objects refer to, read at memory speed: the containers that heaps are full of are read here,
//! from borrowed bytes; all else is [`Objects::referents`]' business, whose answer this must equal.

mod attributes;
mod dict;

pub(super) use dict::Entries;

use super::pieces::{Pieces, Words};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::{DictKind, Field, Layout};
use crate::python::object::{AttributesAt, Content, Keeping, Objects};
use std::ops::ControlFlow;

/// Bytes of a pointer.
pub(in crate::heap) const WORD: u64 = 8;

/// The most pointers that are read at once.
const AT_ONCE: u64 = 1 << 16;

/// The largest container that is believed, in items.
const MOST_ITEMS: u64 = 1 << 40;

/// The hash in the place of an element of a set that was removed, from 3.0 on.
const REMOVED: u64 = u64::MAX;

/// Something makes no sense or cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

/// Is told of references.
pub trait Visit {
    /// An object that is referred to.
    fn refer(&mut self, addr: Addr);

    /// The dictionary of the attributes of the object itself.
    fn own(&mut self, dict: Addr) {
        self.refer(dict);
    }
}

impl<F: FnMut(Addr)> Visit for F {
    fn refer(&mut self, addr: Addr) {
        self(addr);
    }
}

/// How much is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// What the collector is told of.
    Told,
    /// All that keeps an object alive: keys that are strings, names of classes, and the constants of
    /// code, too.
    Everything,
}

/// Follows references.
pub struct Tracer<'a, 'm> {
    /// Knows the types.
    pub objects: &'a Objects,
    /// The memory.
    pub pieces: &'a Pieces<'m>,
    /// How much is followed.
    follow: Follow,
    /// The function that looks up keys of any kind, where a table is known by it (3.6 to 3.10).
    general_lookup: u64,
    header: u64,
    ob_size: Field,
    tuple_items: Field,
    list_items: Field,
}

impl<'a, 'm> Tracer<'a, 'm> {
    /// Follows references in this memory.
    pub fn new(objects: &'a Objects, pieces: &'a Pieces<'m>, follow: Follow) -> Tracer<'a, 'm> {
        let f = &objects.layout.fields;
        Tracer {
            objects,
            pieces,
            follow,
            general_lookup: objects.general_lookup().map_or(0, |addr| addr.0),
            header: f.object.size.offset.into(),
            ob_size: f.object.ob_size,
            tuple_items: f.tuple.items,
            list_items: f.list.items,
        }
    }

    /// Whether all that keeps an object alive is followed.
    pub(in crate::heap) fn follows_all(&self) -> bool {
        self.follow == Follow::Everything
    }

    fn layout(&self) -> &'a Layout {
        &self.objects.layout
    }

    /// The word at an address.
    #[inline]
    pub(in crate::heap) fn word(&self, addr: Addr) -> Result<u64, Broken> {
        self.pieces.u64(addr).ok_or(Broken)
    }

    /// Tells every object that the one at `addr` refers to, some more than once, NULL never.
    #[inline]
    pub fn referents(
        &self,
        addr: Addr,
        keeping: &Keeping,
        found: &mut impl Visit,
    ) -> Result<(), Broken> {
        if self.follow == Follow::Everything && keeping.untold {
            self.untold(addr, found)?;
        }
        if !keeping.asked {
            return Ok(());
        }
        match keeping.content {
            Content::Nothing => {}
            Content::Words(words) => {
                for word in words {
                    let at = addr.add(self.header + u64::from(*word) * WORD);
                    tell(self.word(at)?, found);
                }
            }
            Content::Tuple => {
                let count = self.word(self.ob_size.of(addr))?;
                self.pointers(self.tuple_items.of(addr), count, found)?;
            }
            Content::List => {
                let count = self.word(self.ob_size.of(addr))?;
                let items = Addr(self.word(self.list_items.of(addr))?);
                self.pointers(items, count, found)?;
            }
            Content::Dict => self.dict(addr, found)?,
            Content::Set => self.set(addr, found)?,
            Content::Other => return self.others(addr, keeping, found),
        }
        if keeping.tells_class {
            found.refer(keeping.ty.addr);
        }
        for offset in &keeping.slots {
            tell(self.word(addr.add(*offset))?, found);
        }
        match keeping.attributes {
            AttributesAt::Nowhere => Ok(()),
            AttributesAt::Offset(offset) => {
                own(self.word(addr.add(offset))?, found);
                Ok(())
            }
            AttributesAt::Managed => self.managed(addr, keeping, found),
            AttributesAt::Other => self.others(addr, keeping, found),
        }
    }

    /// Asks whoever knows all types.
    fn others(&self, addr: Addr, keeping: &Keeping, found: &mut impl Visit) -> Result<(), Broken> {
        let dict = match keeping.attributes {
            AttributesAt::Nowhere => 0,
            AttributesAt::Offset(offset) => self.word(addr.add(offset))?,
            AttributesAt::Managed | AttributesAt::Other => {
                let dict = self.objects.dict_of(addr).map_err(|_| Broken)?;
                dict.map_or(0, |dict| dict.0)
            }
        };
        let told = self.objects.referents(addr, &mut |referent| {
            match referent.0 == dict {
                true => found.own(referent),
                false => found.refer(referent),
            }
            ControlFlow::Continue(())
        });
        told.map(|_| ()).map_err(|_| Broken)
    }

    /// What an object keeps alive without telling the collector.
    fn untold(&self, addr: Addr, found: &mut impl Visit) -> Result<(), Broken> {
        let told = self.objects.untold(addr, &mut telling(found));
        told.map_err(|_| Broken)
    }

    /// `count` pointers in a row.
    #[inline]
    fn pointers(&self, at: Addr, count: u64, found: &mut impl Visit) -> Result<(), Broken> {
        self.rows(at, count, WORD, |word| {
            tell(bytes::u64_at(word, 0).unwrap_or(0), found);
        })
    }

    /// `count` rows of `stride` bytes, some at a time: what is damaged may claim any number.
    #[inline]
    fn rows(
        &self,
        at: Addr,
        count: u64,
        stride: u64,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Broken> {
        if count > MOST_ITEMS {
            return Err(Broken);
        }
        let (mut at, mut left) = (at, count);
        while left > 0 {
            let now = left.min(AT_ONCE);
            let size = now * stride;
            let raw = self.pieces.bytes(at, size as usize).ok_or(Broken)?;
            raw.chunks_exact(stride as usize).for_each(&mut each);
            at = at.add(size);
            left -= now;
        }
        Ok(())
    }

    /// Elements of a set: {fill, used, mask, table} and a table of {key, hash}.
    fn set(&self, addr: Addr, found: &mut impl Visit) -> Result<(), Broken> {
        if self.layout().kinds.dict == DictKind::Open {
            let items = self.objects.set_iter(addr).map_err(|_| Broken)?;
            for item in items {
                found.refer(item.map_err(|_| Broken)?);
            }
            return Ok(());
        }
        let header = self.pieces.bytes(addr.add(self.header), 4 * WORD as usize);
        let header = header.ok_or(Broken)?;
        let word = |index: usize| bytes::u64_at(&header, index * WORD as usize).unwrap_or(0);
        let (fill, used, mask, table) = (word(0), word(1), word(2), word(3));
        let slots = mask.checked_add(1).filter(|slots| slots.is_power_of_two());
        let slots = slots.filter(|_| used <= fill && fill <= mask);
        self.rows(Addr(table), slots.ok_or(Broken)?, 2 * WORD, |row| {
            let key = bytes::u64_at(row, 0).unwrap_or(0);
            if bytes::u64_at(row, WORD as usize) != Some(REMOVED) {
                tell(key, found);
            }
        })
    }
}

/// Tells whatever it is told.
fn telling(found: &mut impl Visit) -> impl FnMut(Addr) -> ControlFlow<()> {
    |referent| {
        found.refer(referent);
        ControlFlow::Continue(())
    }
}

/// Tells of a dictionary of attributes that is not NULL.
#[inline]
fn own(dict: u64, found: &mut impl Visit) {
    if dict != 0 {
        found.own(Addr(dict));
    }
}

/// Tells what is not NULL.
#[inline]
fn tell(word: u64, found: &mut impl Visit) {
    if word != 0 {
        found.refer(Addr(word));
    }
}
