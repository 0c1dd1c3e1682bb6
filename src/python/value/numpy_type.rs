//! numpy's `dtype` (`PyArray_Descr`): what an element is and how it is named. The struct behind
//! the object header is {type; kind, char, byteorder, flags (a byte each); number; …}; what
//! follows differs between numpy 1 and 2 (probed in 1.26 and 2.1).

use super::parts;
use crate::addr::Addr;
use crate::python::object::{Objects, malformed};
use crate::target::Fault;

/// The most fields of a structured type.
const MOST_FIELDS: usize = 200;

/// The deepest nesting of structured types.
const DEEPEST: usize = 5;

/// Units of `datetime64` and `timedelta64`, by number. The third was dropped long ago.
const UNITS: [&str; 15] = [
    "Y", "M", "W", "", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic",
];

/// The unit of a time: which, and how many of them are one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unit {
    pub(super) base: usize,
    pub(super) count: i32,
}

impl Unit {
    /// The unit in the `PyArray_DatetimeMetaData` at `at`.
    pub(super) fn read(objects: &Objects, at: Addr) -> Result<Unit, Fault> {
        let base = objects.memory.u32(at)? as usize;
        let count = objects.memory.i32(at.add(4))?;
        let known = UNITS.get(base).is_some_and(|name| !name.is_empty());
        match known {
            true => Ok(Unit { base, count }),
            false => Err(malformed(at)),
        }
    }

    /// `ns`, `25s`.
    pub(super) fn name(self) -> String {
        let base = UNITS.get(self.base).copied().unwrap_or_default();
        match self.count {
            1 => base.to_owned(),
            count => format!("{count}{base}"),
        }
    }
}

/// A field of a structured type.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// As its `repr`.
    name: String,
    pub(super) offset: u64,
    pub(super) ty: Descr,
}

/// What an element of an array is.
#[derive(Clone, Debug)]
pub(super) struct Descr {
    /// `dtype.kind`: b i u f c S U V M m O.
    pub(super) kind: char,
    pub(super) swapped: bool,
    /// Bytes of an element.
    pub(super) size: usize,
    pub(super) unit: Option<Unit>,
    /// The fields of a structured type, in order.
    pub(super) parts: Vec<Part>,
    /// Whether an element is an array itself.
    nested: bool,
}

impl Descr {
    /// Reads the `dtype` at `addr`.
    pub(super) fn read(objects: &Objects, addr: Addr) -> Result<Descr, Fault> {
        Descr::read_within(objects, addr, DEEPEST)
    }

    fn read_within(objects: &Objects, addr: Addr, depth: usize) -> Result<Descr, Fault> {
        const KIND: u64 = 8;
        const BYTE_ORDER: u64 = 10;
        // `PyArray_DatetimeDTypeMetaData` begins with a `NpyAuxData`.
        const META: u64 = 32;
        const T_INT: u32 = 1;
        let memory = &objects.memory;
        let after = |offset: u64| objects.after(addr, offset);
        // The type's own description of its struct tells the version.
        let ty = objects.type_of(addr)?;
        let size = objects.class_attribute(&ty, "itemsize");
        let size = size.and_then(|(member, _)| objects.member(member));
        let (kind_of_size, size) = size.ok_or_else(|| malformed(addr))?;
        let (size, [subarray, fields, names, metadata]) = match kind_of_size {
            T_INT => (memory.u32(addr.add(size))?.into(), [24, 32, 40, 64]),
            _ => (memory.u64(addr.add(size))?, [72, 80, 88, 96]),
        };
        let kind = char::from(memory.u8(after(KIND))?);
        let size = usize::try_from(size).map_err(|_| malformed(addr))?;
        let swapped = memory.u8(after(BYTE_ORDER))? == b'>';
        // Classes of data types that are not numpy's own end with the struct's common part.
        let whole = ty.basicsize as u64 >= after(metadata + 8).0.wrapping_sub(addr.0);
        let mut descr = Descr {
            kind,
            swapped,
            size,
            unit: None,
            parts: Vec::new(),
            nested: whole && !memory.ptr(after(subarray))?.is_null(),
        };
        if matches!(kind, 'M' | 'm') && whole {
            let meta = memory.ptr(after(metadata))?;
            descr.unit = Some(Unit::read(objects, meta.add(META))?);
        }
        let fields = memory.ptr(after(fields));
        if kind == 'V' && whole && depth > 0 && !fields?.is_null() {
            let names = memory.ptr(after(names))?;
            for name in objects.tuple_items(names, MOST_FIELDS)? {
                let name = parts::text(objects, name)?;
                let field = objects.dict_get(fields?, &name)?;
                let field = field.ok_or_else(|| malformed(addr))?;
                let ty = objects.tuple_item(field, 0)?;
                let offset = objects.int(objects.tuple_item(field, 1)?)?;
                descr.parts.push(Part {
                    name: parts::quoted(objects, &name),
                    offset: u64::try_from(offset).map_err(|_| malformed(field))?,
                    ty: Descr::read_within(objects, ty, depth - 1)?,
                });
            }
        }
        Ok(descr)
    }

    /// Whether numpy does not name it behind an array.
    pub(super) fn is_implied(&self) -> bool {
        let usual = [('b', 1), ('i', 8), ('f', 8), ('c', 16)];
        !self.swapped && usual.contains(&(self.kind, self.size))
    }

    /// Whether an element can be shown.
    pub(super) fn is_known(&self) -> bool {
        let known = match self.kind {
            'b' => self.size == 1,
            'i' | 'u' => matches!(self.size, 1 | 2 | 4 | 8),
            'f' => matches!(self.size, 2 | 4 | 8),
            'c' => matches!(self.size, 8 | 16),
            'S' => true,
            'U' => self.size.is_multiple_of(4),
            'M' | 'm' => self.size == 8 && self.unit.is_some(),
            'O' => self.size == 8,
            'V' => !self.parts.is_empty() && self.parts.iter().all(|part| part.ty.is_known()),
            _ => false,
        };
        known && !self.nested
    }

    /// As numpy writes it behind `dtype=`: a name, a quoted code, or a list of fields.
    pub(super) fn text(&self) -> String {
        if !self.parts.is_empty() {
            return self.fields();
        }
        match (self.kind, self.swapped) {
            ('b', _) => "bool".to_owned(),
            ('O', _) => "object".to_owned(),
            ('S' | 'U' | 'V', _) | (_, true) => format!("'{}'", self.code()),
            ('M' | 'm', _) => format!("'{}'", self.name()),
            _ => self.name(),
        }
    }

    /// `float64`, `datetime64[ns]`, `<U3`.
    pub(super) fn name(&self) -> String {
        let bits = self.size * 8;
        let unit = || {
            self.unit
                .map_or_else(String::new, |unit| format!("[{}]", unit.name()))
        };
        match self.kind {
            'i' => format!("int{bits}"),
            'u' => format!("uint{bits}"),
            'f' => format!("float{bits}"),
            'c' => format!("complex{bits}"),
            'M' => format!("datetime64{}", unit()),
            'm' => format!("timedelta64{}", unit()),
            'b' => "bool".to_owned(),
            'O' => "object".to_owned(),
            _ if !self.parts.is_empty() => self.fields(),
            _ => self.code(),
        }
    }

    /// `<i4`, `|S3`.
    pub(super) fn code(&self) -> String {
        let order = match self.kind {
            'b' | 'S' | 'V' | 'O' => '|',
            'i' | 'u' if self.size == 1 => '|',
            _ if self.swapped => '>',
            _ => '<',
        };
        let unit = self
            .unit
            .map_or_else(String::new, |unit| format!("[{}]", unit.name()));
        match self.kind {
            'U' => format!("{order}U{}", self.size / 4),
            'O' => "O".to_owned(),
            kind => format!("{order}{kind}{}{unit}", self.size),
        }
    }

    fn fields(&self) -> String {
        let mut end = 0;
        let mut fields = Vec::new();
        for Part { name, offset, ty } in &self.parts {
            let code = match ty.parts.is_empty() {
                true => format!("'{}'", ty.code()),
                false => ty.fields(),
            };
            if *offset != end || ty.nested {
                // Gaps between fields, or arrays in them.
                let names: Vec<String> = self.parts.iter().map(|part| part.name.clone()).collect();
                return format!("<fields {}, {} bytes>", names.join(", "), self.size);
            }
            end = offset.saturating_add(ty.size as u64);
            fields.push(format!("({name}, {code})"));
        }
        format!("[{}]", fields.join(", "))
    }
}
