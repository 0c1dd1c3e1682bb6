//! What `sys.getsizeof` tells (Python/sysmodule.c `_PySys_GetSizeOf`): the type's `__sizeof__`,
//! done here for every type in C of CPython and of numpy, and what lies in front of the object.
//! Which rule is for which type is in [`rules`]; a file per family has the rules.

mod class;
mod code;
mod container;
mod dict;
mod elementary;
mod execution;
mod io;
mod iterator;
mod numpy;
mod pickle;
mod quick;
mod rules;
mod str;
mod syntax_tree;

use super::{Objects, TypeInfo, flags, malformed};
use crate::addr::Addr;
use crate::python::layout::Attributes;
use crate::target::Fault;
pub(crate) use quick::Quick;
use rules::Rule;
use rustc_hash::FxHashMap;
use std::sync::{Arc, PoisonError};

/// Takes part in garbage collection.
const GC: u64 = 1 << 14;

/// The list of weak references lies in front of the instance (3.12+).
const MANAGED_WEAKREF: u64 = 1 << 3;

/// Bytes of a pointer.
const WORD: u64 = 8;

/// No object is larger, in bytes.
const LARGEST: u64 = 1 << 48;

/// How the sizes of a type's instances are computed, by the type's address.
pub(super) type SizePlans = FxHashMap<Addr, SizePlan>;

/// How the size of a type's instances is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct SizePlan {
    rule: Rule,
    /// `tp_basicsize` of the type.
    basic: u64,
    /// `tp_basicsize` of the class whose `__sizeof__` it is.
    base: u64,
    /// `tp_itemsize` of the type.
    item: u64,
    /// Bytes in front of an instance that belong to it.
    before: u64,
    /// The instances are types, which take part in garbage collection if made at run time.
    types: bool,
}

/// An object whose size is asked for.
#[derive(Clone, Copy)]
struct Sized<'o> {
    objects: &'o Objects,
    addr: Addr,
    plan: SizePlan,
}

/// Damaged words must not wrap around.
fn sum(addr: Addr, parts: &[u64]) -> Result<u64, Fault> {
    let sum = parts
        .iter()
        .try_fold(0u64, |sum, part| sum.checked_add(*part));
    sum.filter(|sum| *sum < LARGEST)
        .ok_or_else(|| malformed(addr))
}

impl Objects {
    /// The size in bytes that `sys.getsizeof` tells.
    ///
    /// It is `None` where nobody can know it without running code of the target: the class, or one
    /// of its bases, defines `__sizeof__` in Python, or in a C extension that is not known here.
    /// Callers who want a number all the same take `tp_basicsize`, and mark it.
    pub fn size_of(&self, addr: Addr) -> Result<Option<u64>, Fault> {
        let plan = self.size_plan(&self.type_of(addr)?)?;
        let object = Sized {
            objects: self,
            addr,
            plan,
        };
        let before = object.before()?;
        let own = object.own()?;
        own.map(|own| sum(addr, &[own, before])).transpose()
    }

    /// What `__sizeof__` of the object at `addr` tells; `None` as for [`Objects::size_of`].
    pub fn own_bytes(&self, addr: Addr, ty: &Arc<TypeInfo>) -> Result<Option<u64>, Fault> {
        let plan = self.size_plan(ty)?;
        let object = Sized {
            objects: self,
            addr,
            plan,
        };
        object.own()
    }

    /// The size of the `bytes` object at `addr`, which an object keeps as its buffer.
    fn byte_object_size(&self, addr: Addr) -> Result<u64, Fault> {
        let fixed = u64::from(self.layout.fields.bytes.data.offset) + 1;
        let size = self.var_size(addr)?.unsigned_abs();
        match self.type_of(addr)?.is(flags::BYTES) {
            true => sum(addr, &[fixed, size]),
            false => Err(malformed(addr)),
        }
    }

    /// How the size of instances of `ty` is computed, found out once.
    fn size_plan(&self, ty: &Arc<TypeInfo>) -> Result<SizePlan, Fault> {
        let plans = &self.size_plans;
        let known = plans.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = known.get(&ty.addr) {
            return Ok(*plan);
        }
        drop(known);
        let plan = self.make_size_plan(ty)?;
        let mut known = plans.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(ty.addr, plan);
        Ok(plan)
    }

    fn make_size_plan(&self, ty: &Arc<TypeInfo>) -> Result<SizePlan, Fault> {
        let (rule, base) = self.size_rule(ty);
        let basic = |ty: &TypeInfo| u64::try_from(ty.basicsize).map_err(|_| malformed(ty.addr));
        let head = match ty.is(GC) {
            true => u64::from(self.layout.kinds.gc_head),
            false => 0,
        };
        let words = match self.layout.kinds.attributes {
            Attributes::DictOffset => 0,
            Attributes::TwoWords => flags::MANAGED_DICT,
            _ => flags::MANAGED_DICT | MANAGED_WEAKREF,
        };
        Ok(SizePlan {
            rule,
            basic: basic(ty)?,
            base: basic(&base)?,
            item: ty.itemsize.unsigned_abs(),
            before: head + if ty.is(words) { 2 * WORD } else { 0 },
            types: ty.is(flags::TYPE) && !self.layout.kinds.sizes.static_types_collected,
        })
    }
}

impl Sized<'_> {
    /// Bytes in front of the object that belong to it.
    fn before(&self) -> Result<u64, Fault> {
        match self.plan.types && !self.objects.type_at(self.addr)?.is_heap() {
            true => Ok(0),
            false => Ok(self.plan.before),
        }
    }

    /// What `__sizeof__` tells.
    fn own(&self) -> Result<Option<u64>, Fault> {
        let size = match self.plan.rule {
            Rule::Unknown => return Ok(None),
            Rule::CType => return self.c_type_size(),
            Rule::Unpickler => return self.unpickler_size(),
            Rule::Pickler => return self.pickler_size(),
            Rule::Plain => self.plain_size(),
            Rule::ByteString => self.byte_string_size(),
            Rule::Unicode => self.unicode_size(),
            Rule::Str => self.str_size(),
            Rule::Int { least } => self.int_size(least),
            Rule::Decimal => self.decimal_size(),
            Rule::List => self.list_size(),
            Rule::Set => self.set_size(),
            Rule::Deque => self.deque_size(),
            Rule::ByteArray => self.bytearray_size(),
            Rule::Array => self.array_size(),
            Rule::SimpleQueue => self.simple_queue_size(),
            Rule::Dict => self.dict_size(),
            Rule::OrderedDict => self.ordered_dict_size(),
            Rule::CTypesDict => self.ctypes_dict_size(),
            Rule::Type => self.type_size(),
            Rule::Code => self.code_size(),
            Rule::Frame => self.frame_size(),
            Rule::Generator => self.generator_size(),
            Rule::BytesIo => self.bytes_io_size(),
            Rule::Buffered => self.buffered_size(),
            Rule::Struct => self.struct_size(),
            Rule::Element => self.element_size(),
            Rule::Product => self.product_size(),
            Rule::Combinations => self.combinations_size(),
            Rule::Permutations => self.permutations_size(),
            Rule::SyntaxTree => self.syntax_tree_size(),
            Rule::NumpyArray => self.numpy_array_size(),
            Rule::NumpyNumber(bytes) => self.numpy_number_size(bytes),
            Rule::NumpyFlexible => self.numpy_flexible_size(),
        };
        size.map(Some)
    }

    /// `object.__sizeof__`.
    fn plain_size(&self) -> Result<u64, Fault> {
        match self.plan.item {
            0 => Ok(self.plan.basic),
            item => {
                let items = self.objects.var_size(self.addr)?.unsigned_abs();
                self.sum(&[self.plan.basic, items.saturating_mul(item)])
            }
        }
    }

    /// The sum of what belongs to this object.
    fn sum(&self, parts: &[u64]) -> Result<u64, Fault> {
        sum(self.addr, parts)
    }

    /// The word `offset` bytes behind the object's header.
    fn word(&self, offset: u64) -> Result<u64, Fault> {
        let at = self.objects.after(self.addr, offset);
        self.objects.memory.u64(at)
    }

    /// The pointer `offset` bytes behind the object's header.
    fn pointer(&self, offset: u64) -> Result<Addr, Fault> {
        self.word(offset).map(Addr)
    }

    /// Whether a table lies in the object itself.
    fn is_inside(&self, table: Addr) -> bool {
        let end = self.addr.0.saturating_add(self.plan.basic);
        (self.addr.0..end).contains(&table.0)
    }

    /// The bytes that a C string takes; none for a NULL pointer.
    fn c_string(&self, at: Addr) -> Result<u64, Fault> {
        /// Formats of arrays of structs may be long.
        const LONGEST: usize = 1 << 16;
        match at.is_null() {
            true => Ok(0),
            false => Ok(self.objects.memory.cstr(at, LONGEST)?.len() as u64 + 1),
        }
    }
}
