//! How much room containers have set aside, and how much of it is used: `list` (Objects/listobject.c),
//! `dict` (dictobject.c), `set` (setobject.c), `deque` (_collectionsmodule.c), `bytearray`.

use super::{Form, Parts, WORD};
use crate::addr::Addr;
use crate::heap::trace::Broken;
use crate::heap::types::Kind;
use crate::python::layout::{DictKind, ValuesKind};

/// The room in a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::heap) struct Capacity {
    /// Places for items. Of the slots of an open table never all are used.
    pub(in crate::heap) room: u64,
    /// Items.
    pub(in crate::heap) used: u64,
    /// Bytes of a place that lies apart from the object; nothing for those within it.
    pub(in crate::heap) place: u64,
}

impl Capacity {
    /// The bytes of places without an item.
    pub(in crate::heap) fn unused(self) -> u64 {
        self.room
            .saturating_sub(self.used)
            .saturating_mul(self.place)
    }
}

impl Parts<'_, '_> {
    /// The room in the object at `addr`; `None` for what is none of these containers.
    pub(in crate::heap) fn capacity(
        &self,
        addr: Addr,
        kind: &Kind,
    ) -> Result<Option<Capacity>, Broken> {
        let capacity = match kind.form {
            Form::List => self.list_capacity(addr)?,
            Form::Dict | Form::Ordered => self.dict_capacity(addr)?,
            Form::OpenDict { basic } => self.open_dict_capacity(addr, basic)?,
            Form::Set { basic } => self.set_capacity(addr, basic)?,
            Form::Deque => self.deque_capacity(addr)?,
            Form::ByteArray { holder } => self.bytearray_capacity(addr, holder)?,
            _ => return Ok(None),
        };
        let whole = capacity.room.checked_mul(capacity.place.max(1));
        match whole.is_some() && capacity.used <= capacity.room {
            true => Ok(Some(capacity)),
            false => Err(Broken),
        }
    }

    fn list_capacity(&self, addr: Addr) -> Result<Capacity, Broken> {
        let f = &self.layout().fields;
        let items = f.list.items.of(addr);
        let room = match self.pointer(items)?.is_null() {
            true => 0,
            false => self.word(items.add(WORD))?,
        };
        Ok(Capacity {
            room,
            used: self.word(f.object.ob_size.of(addr))?,
            place: WORD,
        })
    }

    /// Keys that others share belong to a class, and values that lie in an instance to that.
    fn dict_capacity(&self, addr: Addr) -> Result<Capacity, Broken> {
        const EMBEDDED: u64 = 2;
        let layout = self.layout();
        let f = &layout.fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            return Err(Broken);
        };
        let keys = self.pointer(keys.of(addr))?;
        let values = self.pointer(values.of(addr))?;
        let entries = self.tracer.entries(keys)?;
        let (room, place) = match (values.is_null(), layout.kinds.values) {
            (true, _) => (entries.room, entries.stride),
            (false, ValuesKind::Headed) => {
                let embedded = self.pieces().u8(values.add(EMBEDDED)).ok_or(Broken)?;
                let capacity = self.pieces().u8(values).ok_or(Broken)?;
                (capacity.into(), if embedded == 0 { WORD } else { 0 })
            }
            (false, _) if layout.kinds.dict == DictKind::Compact => (entries.room, WORD),
            (false, _) => {
                let usable = layout.fields.dict_keys.as_ref().ok_or(Broken)?.usable;
                let usable = self.word(usable.of(keys))?;
                (entries.count.saturating_add(usable), WORD)
            }
        };
        Ok(Capacity {
            room,
            used: self.word(f.used.of(addr))?,
            place,
        })
    }

    fn open_dict_capacity(&self, addr: Addr, basic: u64) -> Result<Capacity, Broken> {
        const SLOT: u64 = 3 * WORD;
        let f = &self.layout().fields.dict;
        let (Some(mask), Some(slots)) = (f.mask, f.table) else {
            return Err(Broken);
        };
        let inside = is_inside(self.pointer(slots.of(addr))?, addr, basic);
        Ok(Capacity {
            room: self.word(mask.of(addr))?.saturating_add(1),
            used: self.word(f.used.of(addr))?,
            place: if inside { 0 } else { SLOT },
        })
    }

    fn set_capacity(&self, addr: Addr, basic: u64) -> Result<Capacity, Broken> {
        // { header; fill; used; mask; table; … }
        const USED: u64 = WORD;
        const MASK: u64 = 2 * WORD;
        const TABLE: u64 = 3 * WORD;
        const SLOT: u64 = 2 * WORD;
        let inside = is_inside(Addr(self.after(addr, TABLE)?), addr, basic);
        Ok(Capacity {
            room: self.after(addr, MASK)?.saturating_add(1),
            used: self.after(addr, USED)?,
            place: if inside { 0 } else { SLOT },
        })
    }

    /// Blocks that are kept for later are room, too.
    fn deque_capacity(&self, addr: Addr) -> Result<Capacity, Broken> {
        let f = &self.layout().fields;
        let block = &f.deque_block;
        let items = u64::from(block.right.offset.saturating_sub(block.data.offset)) / WORD;
        let mut blocks = 0;
        self.deque(addr, &mut |_| blocks += 1)?;
        let length = match f.deque.length {
            Some(length) => self.word(length.of(addr))?,
            None => self.word(f.object.ob_size.of(addr))?,
        };
        Ok(Capacity {
            room: items * blocks,
            used: length,
            place: WORD,
        })
    }

    /// The NUL behind the bytes is no room.
    fn bytearray_capacity(&self, addr: Addr, holder: Option<u64>) -> Result<Capacity, Broken> {
        let f = &self.layout().fields;
        let mut len = 0;
        self.bytearray(addr, holder, &mut |part| len = part.len.unwrap_or(0))?;
        let fixed = match holder {
            None => 1,
            Some(_) => u64::from(f.bytes.data.offset) + 1,
        };
        Ok(Capacity {
            room: len.saturating_sub(fixed),
            used: self.word(f.object.ob_size.of(addr))?,
            place: 1,
        })
    }
}

/// Whether a table lies in the object itself.
fn is_inside(table: Addr, addr: Addr, basic: u64) -> bool {
    table.since(addr).is_some_and(|into| into < basic)
}
