//! Sizes as `sys.getsizeof` tells them, by rules that are made once for each type: what
//! [`Objects::size_of`] tells of one object, for millions.

use super::pieces::Words;
use super::trace::{Broken, Tracer, WORD};
use crate::addr::Addr;
use crate::bytes;
use crate::python::layout::StrKind;
use crate::python::object::{Objects, TypeInfo};
use std::sync::Arc;

/// Larger sizes are damage, in bytes.
const LARGEST: u64 = 1 << 48;

/// How the size of an instance of a type is told. Sizes include what lies before the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// All have this size.
    Fixed(u64),
    /// This size, and `ob_size` items of another.
    Items { fixed: u64, item: u64 },
    /// This size, and the items for which there is room.
    List(u64),
    /// This size, and the keys if they are its own.
    Dict(u64),
    /// This size, and a table that is not inside of the object.
    Set { fixed: u64, basic: u64 },
    /// What lies before, and characters.
    Str { before: u64 },
    /// This size, and digits.
    Int(u64),
    /// As [`Objects::size_of`] tells.
    Other,
}

impl Rule {
    /// The rule for a type.
    pub(super) fn of(objects: &Objects, ty: &Arc<TypeInfo>) -> Rule {
        let (Ok(basic), Ok(item)) = (u64::try_from(ty.basicsize), u64::try_from(ty.itemsize))
        else {
            return Rule::Other;
        };
        let Some(before) = objects.bytes_before(ty) else {
            return Rule::Other;
        };
        let fixed = basic + before;
        let owner = objects.class_attribute(ty, "__sizeof__");
        let owner = owner.map(|(_, owner)| objects.full_name(&owner));
        let f = &objects.layout.fields;
        match owner.as_deref() {
            None | Some("object") if item == 0 => Rule::Fixed(fixed),
            None | Some("object" | "bytes" | "tuple") => Rule::Items { fixed, item },
            Some("list") => Rule::List(fixed),
            Some("dict") if f.dict.keys.is_some() => Rule::Dict(fixed),
            Some("set" | "frozenset") => Rule::Set { fixed, basic },
            Some("str")
                if objects.layout.kinds.str != StrKind::Pointer
                    && f.str
                        .compact_data
                        .is_some_and(|at| basic >= at.offset.into()) =>
            {
                Rule::Str { before }
            }
            Some("int") if f.int.small.is_none() && basic == u64::from(f.int.digits.offset) => {
                Rule::Int(fixed)
            }
            _ => Rule::Other,
        }
    }
}

impl Tracer<'_, '_> {
    /// The size of an object, in bytes, and whether it is what `sys.getsizeof` would tell: the code
    /// of a class may say otherwise.
    #[inline]
    pub(super) fn size(&self, addr: Addr, rule: Rule) -> Result<(u64, bool), Broken> {
        let size = match rule {
            Rule::Fixed(size) => return Ok((size, true)),
            Rule::Items { fixed, item } => {
                let ob_size = self.objects.layout.fields.object.ob_size.of(addr);
                let count = (self.word(ob_size)? as i64).unsigned_abs();
                fixed.saturating_add(count.saturating_mul(item))
            }
            Rule::List(fixed) => {
                let items = self.objects.layout.fields.list.items.of(addr);
                fixed.saturating_add(self.word(items.add(WORD))?.saturating_mul(WORD))
            }
            Rule::Dict(fixed) => match self.own_keys(addr)? {
                Some(keys) => fixed.saturating_add(keys),
                None => return self.other_size(addr),
            },
            Rule::Set { fixed, basic } => {
                let header = self.objects.after(addr, 2 * WORD);
                let (mask, table) = (self.word(header)?, self.word(header.add(WORD))?);
                let inside = (addr.0..addr.0.saturating_add(basic)).contains(&table);
                let slots = if inside { 0 } else { mask.saturating_add(1) };
                fixed.saturating_add(slots.saturating_mul(2 * WORD))
            }
            Rule::Str { before } => match self.compact_str(addr)? {
                Some(size) => size.saturating_add(before),
                None => return self.other_size(addr),
            },
            Rule::Int(fixed) => {
                const DIGIT: u64 = 4;
                let f = &self.objects.layout.fields;
                let digits = match f.int.tag {
                    Some(tag) => (self.word(tag.of(addr))? >> 3).max(1),
                    None => (self.word(f.object.ob_size.of(addr))? as i64).unsigned_abs(),
                };
                fixed.saturating_add(digits.saturating_mul(DIGIT))
            }
            Rule::Other => return self.other_size(addr),
        };
        match size < LARGEST {
            true => Ok((size, true)),
            false => Err(Broken),
        }
    }

    /// Asks whoever knows all types.
    fn other_size(&self, addr: Addr) -> Result<(u64, bool), Broken> {
        if let Some(size) = self.objects.size_of(addr).map_err(|_| Broken)? {
            return Ok((size, true));
        }
        let size = self.objects.struct_size(addr).map_err(|_| Broken)?;
        Ok((size, false))
    }

    /// The size of the keys of a dictionary that shares them with nobody; `None` for others.
    fn own_keys(&self, addr: Addr) -> Result<Option<u64>, Broken> {
        let f = &self.objects.layout.fields.dict;
        let (Some(keys), Some(values)) = (f.keys, f.values) else {
            return Ok(None);
        };
        if self.word(values.of(addr))? != 0 {
            return Ok(None);
        }
        let keys = Addr(self.word(keys.of(addr))?);
        match self.word(keys)? {
            1 => self.entries(keys)?.whole_size().map(Some),
            _ => Ok(None),
        }
    }

    /// The size of a string whose characters follow its header, without what lies before it.
    fn compact_str(&self, addr: Addr) -> Result<Option<u64>, Broken> {
        let f = &self.objects.layout.fields.str;
        let kind = self.objects.layout.kinds.str;
        let (Some(state), Some(ascii_data)) = (f.state, f.ascii_data) else {
            return Ok(None);
        };
        let header = self.pieces.bytes(addr, ascii_data.index()).ok_or(Broken)?;
        let state = bytes::array_at(&header, state.index()).map(u32::from_le_bytes);
        let state = state.ok_or(Broken)?;
        let state = match kind {
            StrKind::BitsAfterInterned => state >> 8,
            _ => state >> 2,
        };
        let (width, compact, ascii) = (u64::from(state & 7), state >> 3 & 1, state >> 4 & 1);
        // Others may have copies in other encodings.
        if (compact, ascii) != (1, 1) {
            return Ok(None);
        }
        if kind == StrKind::BitsWithLegacy {
            let wstr = ascii_data.of(addr).sub(WORD);
            let wstr = self.pieces.u64(wstr).ok_or(Broken)?;
            if wstr != 0 {
                return Ok(None);
            }
        }
        let length = bytes::u64_at(&header, f.length.index()).ok_or(Broken)?;
        let characters = length.saturating_add(1).saturating_mul(width);
        Ok(Some(characters.saturating_add(ascii_data.offset.into())))
    }
}
