//! Reading Python objects from outside: memory, the layout, and what was learnt about types.
//! One file per builtin type.

mod attributes;
mod byte_string;
mod class;
mod deque;
mod dict;
mod float;
mod holdings;
mod int;
mod keeping;
mod old_class;
mod open_file;
mod ordered;
mod refcount;
mod referents;
mod release;
mod rows;
mod sequence;
mod set;
mod size;
mod static_names;
mod str;

pub use self::str::Text;
pub use class::{Found, Whence};
pub use deque::DequeItems;
pub use dict::DictItems;
pub(crate) use dict::index_width;
pub use keeping::{AttributesAt, Content, Keeping};
pub use open_file::OpenFile;
pub use refcount::RefCount;
pub use referents::Completeness;
pub(crate) use set::DUMMY;
pub use set::SetItems;
pub(crate) use size::Quick;

use super::layout::Layout;
use super::value;
use crate::addr::Addr;
use crate::bytes;
use crate::escape::lossy;
use crate::target::{Fault, Memory, Why};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Bits of `tp_flags` (Include/object.h), the same from 2.7 to 3.15.
pub(crate) mod flags {
    /// `int`, in 2.7 `long`.
    pub(crate) const LONG: u64 = 1 << 24;
    /// `list`.
    pub(crate) const LIST: u64 = 1 << 25;
    /// `tuple`.
    pub(crate) const TUPLE: u64 = 1 << 26;
    /// `bytes`, in 2.7 `str`.
    pub(crate) const BYTES: u64 = 1 << 27;
    /// `str`, in 2.7 `unicode`.
    pub(crate) const STR: u64 = 1 << 28;
    /// `dict`.
    pub(crate) const DICT: u64 = 1 << 29;
    /// Ready to be used.
    pub(crate) const READY: u64 = 1 << 12;
    /// The garbage collector may track its instances; 2.7 has the same bit.
    pub(crate) const HAVE_GC: u64 = 1 << 14;
    /// All bits from `LONG` to `TYPE_SUBCLASS`.
    pub(crate) const KINDS: u64 = 0xff << 24;
    /// 2.7's `int`; the bit means something else from 3.12 on.
    pub(crate) const SMALL_INT: u64 = 1 << 23;
    /// The instance's dictionary lies in front of it (3.11+).
    pub(crate) const MANAGED_DICT: u64 = 1 << 4;
    /// Made by a `class` statement, or by `PyType_FromSpec`; 2.7 has the same bit.
    pub(crate) const HEAP: u64 = 1 << 9;
    /// `BaseException`.
    pub(crate) const EXCEPTION: u64 = 1 << 30;
    /// `type`.
    pub(crate) const TYPE: u64 = 1 << 31;
    /// A static builtin type, whose namespace each interpreter keeps itself (3.12+).
    pub(crate) const STATIC_BUILTIN: u64 = 1 << 1;
    /// Attribute values may lie behind the instance (3.13+).
    pub(crate) const INLINE_VALUES: u64 = 1 << 2;
}

/// What is known about a type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeInfo {
    /// Address of the `PyTypeObject`.
    pub addr: Addr,
    /// `tp_name`; `None` when it cannot be read: the names of static types are constants of the
    /// binary, which a core leaves out.
    pub name: Option<String>,
    /// `tp_flags`.
    pub flags: u64,
    /// `tp_basicsize`, in bytes.
    pub basicsize: i64,
    /// `tp_itemsize`, in bytes.
    pub itemsize: i64,
    dictoffset: i64,
    /// `tp_base`, or NULL.
    pub base: Addr,
    dict: Addr,
    mro: Addr,
}

impl TypeInfo {
    /// Whether the type's name is `name`, or not known.
    pub fn may_be(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|known| known == name)
    }

    /// Whether this is the builtin type of a flag of [`flags`], or a subclass of it.
    pub(crate) fn is(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Whether it was made at run time.
    pub fn is_heap(&self) -> bool {
        self.is(flags::HEAP)
    }

    /// Whether the values of attributes may lie behind an instance (3.13+).
    pub fn has_inline_values(&self) -> bool {
        self.is(flags::INLINE_VALUES)
    }

    /// Whether this is `dict` or a subclass of it.
    pub fn is_dict(&self) -> bool {
        // A type that is ready is of one builtin kind; random words often have several.
        self.flags & flags::READY != 0 && self.flags & flags::KINDS == flags::DICT
    }
}

/// Reads objects of one process. Everything here treats the process's bytes as hostile.
pub struct Objects {
    /// The process's memory.
    pub memory: Arc<dyn Memory>,
    /// Where things are.
    pub layout: Arc<Layout>,
    /// The main interpreter, once it is known: it keeps the namespaces of static types.
    pub(crate) interpreter: OnceLock<Addr>,
    types: RwLock<FxHashMap<Addr, Result<Arc<TypeInfo>, Fault>>>,
    names: RwLock<FxHashMap<Addr, Arc<str>>>,
    mros: RwLock<FxHashMap<Addr, Arc<[Arc<TypeInfo>]>>>,
    /// The namespaces of classes that were asked for an attribute, by name.
    members: RwLock<FxHashMap<Addr, Arc<class::Members>>>,
    /// The slots that instances of a class have.
    slot_tables: RwLock<FxHashMap<Addr, Arc<[class::Slot]>>>,
    /// Names of static types that a core lacks, once they are known.
    static_names: OnceLock<FxHashMap<Addr, Arc<str>>>,
    /// How the instances of a type keep their references.
    plans: RwLock<referents::Plans>,
    python_dealloc: referents::Deallocator,
    /// The function by which 3.6 to 3.10 look up keys of any kind, once it is known.
    general_lookup: OnceLock<Option<Addr>>,
    /// How the sizes of the instances of a type are computed.
    size_plans: RwLock<size::SizePlans>,
    pub(crate) shapes: value::Shapes,
    /// Bytes of a character of 2.7's `unicode`, once it is known.
    unicode_width: OnceLock<u64>,
}

/// The error for bytes that make no sense.
pub(crate) fn malformed(addr: Addr) -> Fault {
    Fault {
        addr,
        why: Why::Malformed,
    }
}

impl Objects {
    /// A reader that has learnt nothing yet.
    pub fn new(memory: Arc<dyn Memory>, layout: Arc<Layout>) -> Objects {
        Objects {
            memory,
            layout,
            interpreter: OnceLock::new(),
            types: RwLock::default(),
            names: RwLock::default(),
            mros: RwLock::default(),
            members: RwLock::default(),
            slot_tables: RwLock::default(),
            static_names: OnceLock::new(),
            plans: RwLock::default(),
            python_dealloc: OnceLock::new(),
            general_lookup: OnceLock::new(),
            size_plans: RwLock::default(),
            shapes: value::Shapes::default(),
            unicode_width: OnceLock::new(),
        }
    }

    /// The type of the object at `addr`.
    pub fn type_of(&self, addr: Addr) -> Result<Arc<TypeInfo>, Fault> {
        let ty = self
            .memory
            .ptr(self.layout.fields.object.ob_type.of(addr))?;
        self.type_at(ty)
    }

    /// The type whose `PyTypeObject` is at `ty`.
    pub fn type_at(&self, ty: Addr) -> Result<Arc<TypeInfo>, Fault> {
        if let Some(known) = self
            .types
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&ty)
        {
            return known.clone();
        }
        let info = self.read_type(ty).map(Arc::new);
        let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
        types.insert(ty, info.clone());
        info
    }

    /// The place `offset` bytes behind the object header of `addr`: where a struct that is the
    /// same in every version but for its header has the field.
    pub fn after(&self, addr: Addr, offset: u64) -> Addr {
        self.layout.fields.object.size.of(addr).add(offset)
    }

    /// `ob_size`, the number of items of the object at `addr`.
    pub fn var_size(&self, addr: Addr) -> Result<i64, Fault> {
        self.memory.i64(self.layout.fields.object.ob_size.of(addr))
    }

    /// The bytes of a `bytes` object (2.7: `str`), at most `most`; more is an error, because a
    /// damaged size must not make anyone read the whole heap.
    pub fn bytes(&self, addr: Addr, most: usize) -> Result<Vec<u8>, Fault> {
        let size = self.var_size(addr)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= most);
        let size = size.ok_or_else(|| malformed(addr))?;
        let data = self.layout.fields.bytes.data.of(addr);
        Ok(self.memory.bytes(data, size)?.into_owned())
    }

    /// The addresses of a list's items, at most `most` of them.
    pub fn list_items(&self, addr: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        if self.type_of(addr)?.flags & flags::LIST == 0 {
            return Err(malformed(addr));
        }
        let size = usize::try_from(self.var_size(addr)?).map_err(|_| malformed(addr))?;
        let items = self.memory.ptr(self.layout.fields.list.items.of(addr))?;
        self.pointers(items, size.min(most))
    }

    /// The address of item `index` of a tuple.
    pub fn tuple_item(&self, addr: Addr, index: u32) -> Result<Addr, Fault> {
        if self.type_of(addr)?.flags & flags::TUPLE == 0 || self.var_size(addr)? <= i64::from(index)
        {
            return Err(malformed(addr));
        }
        let items = self.layout.fields.tuple.items.of(addr);
        self.memory.ptr(items.add(u64::from(index) * 8))
    }

    /// The addresses of a tuple's items, at most `most` of them.
    pub fn tuple_items(&self, addr: Addr, most: usize) -> Result<Vec<Addr>, Fault> {
        if !self.type_of(addr)?.is(flags::TUPLE) {
            return Err(malformed(addr));
        }
        let size = usize::try_from(self.var_size(addr)?).map_err(|_| malformed(addr))?;
        self.pointers(self.layout.fields.tuple.items.of(addr), size.min(most))
    }

    /// `count` pointers at `at`; the caller bounds `count`.
    pub(crate) fn pointers(&self, at: Addr, count: usize) -> Result<Vec<Addr>, Fault> {
        let raw = self.memory.bytes(at, count.saturating_mul(8))?;
        Ok((0..count)
            .filter_map(|i| bytes::u64_at(&raw, i * 8).map(Addr))
            .collect())
    }

    fn read_type(&self, ty: Addr) -> Result<TypeInfo, Fault> {
        const LONGEST_NAME: usize = 1024;
        let f = &self.layout.fields.type_object;
        let raw = self.memory.bytes(ty, f.size.index())?;
        let word = |field: super::layout::Field| {
            bytes::u64_at(&raw, field.index()).ok_or_else(|| malformed(ty))
        };
        let name = self.memory.cstr(Addr(word(f.name)?), LONGEST_NAME);
        Ok(TypeInfo {
            addr: ty,
            name: name.ok().map(|name| lossy(&name)),
            flags: word(f.flags)?,
            basicsize: word(f.basicsize)? as i64,
            itemsize: word(f.itemsize)? as i64,
            dictoffset: word(f.dictoffset)? as i64,
            base: Addr(word(f.base)?),
            dict: Addr(word(f.dict)?),
            mro: Addr(word(f.mro)?),
        })
    }
}

#[cfg(test)]
mod tests;
