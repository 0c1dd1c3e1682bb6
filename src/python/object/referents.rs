//! What an object refers to, as the type's `tp_traverse` would tell. How a type written in C keeps
//! its references is data, in [`super::holdings`]; a class written in Python adds the slots, the
//! dictionary or values, and the class.

use super::attributes::Place;
use super::holdings::{self, Holding};
use super::{Objects, RefCount, TypeInfo, class::Slot, flags, malformed};
use crate::addr::Addr;
use crate::python::layout::Counting;
use crate::target::Fault;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, OnceLock, PoisonError};

/// The most bases between a class and the type in C that it is made from.
const MOST_BASES: usize = 1000;

/// Larger structs of a type are damage, in bytes.
const LARGEST: u64 = 1 << 16;

/// The most types of types of types.
const MOST_METATYPES: usize = 8;

/// The most slots of one frame.
const MOST_SLOTS: u32 = 1 << 20;

/// Bytes of a pointer.
const WORD: u64 = 8;

/// Is told each referent; it may have had enough.
pub(super) type Tell<'f> = &'f mut dyn FnMut(Addr) -> ControlFlow<()>;

/// Whether all referents were told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// All of them.
    Whole,
    /// The type is written in C and not known: it may keep references where nobody finds them.
    MayHide,
}

/// How instances of one type keep their references.
#[derive(Debug)]
pub(super) struct Plan {
    ty: Arc<TypeInfo>,
    pub(super) is_type: bool,
    /// The type in C that the type is made from: itself, where it is not written in Python.
    pub(super) base: Arc<TypeInfo>,
    pub(super) holding: Holding,
    pub(super) completeness: Completeness,
    pub(super) slots: Arc<[Slot]>,
    /// Where the struct has its list of weak references, which are none of its own.
    weakrefs: Option<u64>,
}

/// What told that there is enough, or that something cannot be read.
enum Stop {
    Enough,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

/// Tells one referent.
fn tell(found: Tell<'_>, addr: Addr) -> Result<(), Stop> {
    match addr.is_null() {
        true => Ok(()),
        false => match found(addr) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Enough),
        },
    }
}

impl Objects {
    /// Tells every object that the one at `addr` refers to, some more than once, until `found` has
    /// had enough.
    pub fn referents(&self, addr: Addr, found: Tell<'_>) -> Result<Completeness, Fault> {
        let plan = self.plan(&self.type_of(addr)?);
        match self.tell_all(addr, &plan, found) {
            Ok(()) | Err(Stop::Enough) => Ok(plan.completeness),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// Whether instances of this type refer to nothing.
    pub fn is_leaf(&self, ty: &Arc<TypeInfo>) -> bool {
        !ty.is_heap() && self.plan(ty).holding == Holding::Nothing
    }

    /// Whether the words at `addr` are a live object: their type is one, and they are referred to.
    pub fn is_object(&self, addr: Addr) -> bool {
        let aligned = addr.0 >= 1 << 12 && addr.0.is_multiple_of(WORD);
        let is_type = |ty: Arc<TypeInfo>| self.plan(&ty).is_type;
        aligned && self.type_of(addr).is_ok_and(is_type) && self.is_referred_to(addr)
    }

    /// Whether this is a type: its type is one, and so on, to one that is its own.
    fn is_type(&self, ty: &TypeInfo) -> bool {
        let mut ty = ty.clone();
        for _ in 0..MOST_METATYPES {
            let Ok(meta) = self.type_of(ty.addr) else {
                return false;
            };
            // Some static types of 2.7 are in use without ever being made ready.
            if !meta.is(flags::TYPE) {
                return false;
            }
            if meta.addr == ty.addr {
                return true;
            }
            ty = (*meta).clone();
        }
        false
    }

    /// Whether the count of references is one that a live object may have. Where a pointer lies in
    /// its place, it is no object, or a free one.
    fn is_referred_to(&self, addr: Addr) -> bool {
        let fits = match self.layout.kinds.counting {
            Counting::Biased => Ok(true),
            // From 3.14 on flags follow the count; the bits between are only used by an overflow.
            Counting::Word | Counting::LowHalf => self.memory.u64(addr).map(|w| w << 16 >> 48 == 0),
        };
        let counted = self.refcount(addr).is_ok_and(|count| match count {
            RefCount::Counted(count) => count > 0,
            RefCount::Immortal(_) => true,
        });
        fits == Ok(true) && counted
    }

    pub(super) fn plan(&self, ty: &Arc<TypeInfo>) -> Arc<Plan> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&ty.addr) {
            return Arc::clone(plan);
        }
        drop(plans);
        let plan = Arc::new(self.make_plan(ty));
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        plans.insert(ty.addr, Arc::clone(&plan));
        plan
    }

    fn make_plan(&self, ty: &Arc<TypeInfo>) -> Plan {
        let mut base = Arc::clone(ty);
        for _ in 0..MOST_BASES {
            if !self.is_made_in_python(&base) {
                break;
            }
            let Ok(next) = self.type_at(base.base) else {
                break;
            };
            base = next;
        }
        let (holding, known) = holdings::of(&self.full_name(&base), base.is_heap());
        let weakrefs = self.layout.fields.type_object.weaklistoffset.of(base.addr);
        let weakrefs = self.memory.i64(weakrefs).ok();
        Plan {
            ty: Arc::clone(ty),
            is_type: self.is_type(ty),
            weakrefs: weakrefs.and_then(|offset| u64::try_from(offset).ok()),
            holding,
            completeness: match known {
                true => Completeness::Whole,
                false => Completeness::MayHide,
            },
            slots: self.slot_table(ty).unwrap_or_default(),
            base,
        }
    }

    /// Whether a type was made by a `class` statement: it is freed as all those are.
    fn is_made_in_python(&self, ty: &TypeInfo) -> bool {
        let deallocator = self.python_dealloc.get_or_init(|| {
            // Every interpreter has this class from its start on.
            let interpreter = *self.interpreter.get()?;
            let codecs = crate::python::names::module(self, interpreter, "codecs");
            let class = self.dict_get(codecs.ok()??, "IncrementalEncoder");
            self.deallocator(class.ok()??)
        });
        ty.is_heap() && deallocator.is_some() && self.deallocator(ty.addr) == *deallocator
    }

    /// `tp_dealloc`, which follows `tp_itemsize` in every version.
    fn deallocator(&self, ty: Addr) -> Option<Addr> {
        let itemsize = self.layout.fields.type_object.itemsize.of(ty);
        self.memory.ptr(itemsize.add(WORD)).ok()
    }

    fn tell_all(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        let f = &self.layout.fields;
        if plan.ty.is_heap() {
            tell(found, plan.ty.addr)?;
        }
        let size = u64::try_from(plan.base.basicsize).ok();
        let size = size.filter(|size| *size <= LARGEST);
        let size = size.ok_or_else(|| malformed(plan.base.addr))?;
        match plan.holding {
            Holding::Nothing => {}
            Holding::Words(words) => {
                for word in words {
                    let at = self.after(addr, u64::from(*word) * WORD);
                    tell(found, self.memory.ptr(at)?)?;
                }
            }
            Holding::Struct => {
                self.tell_struct(addr, plan, 0..size, found)?;
                self.tell_own_items(addr, plan, size, found)?;
            }
            Holding::Items => {
                for item in self.item_iter(addr)? {
                    tell(found, item?)?;
                }
            }
            Holding::Dict => {
                for item in self.dict_iter(addr)? {
                    let (key, value) = item?;
                    tell(found, key)?;
                    tell(found, value)?;
                }
                // What subclasses in C add.
                self.tell_struct(addr, plan, f.dict.size.offset.into()..size, found)?;
            }
            Holding::Set => {
                for item in self.set_iter(addr)? {
                    tell(found, item?)?;
                }
            }
            Holding::Deque => {
                for item in self.deque_iter(addr)? {
                    tell(found, item?)?;
                }
            }
            Holding::SimpleQueue => {
                self.tell_struct(addr, plan, 0..size, found)?;
                self.tell_ring(addr, plan, found)?;
            }
            Holding::Generator => match f.frame.function {
                Some(_) => {
                    self.tell_struct(addr, plan, 0..f.generator.frame.offset.into(), found)?;
                    self.tell_frame(f.generator.frame.of(addr), found)?;
                }
                None => self.tell_struct(addr, plan, 0..size, found)?,
            },
            Holding::Frame => match &f.frame_object {
                // What it has room for is no part of it before the frame has ended.
                Some(handle) => {
                    self.tell_struct(addr, plan, 0..handle.own_frame.offset.into(), found)?;
                    self.tell_frame(self.memory.ptr(handle.frame.of(addr))?, found)?;
                }
                None => {
                    self.tell_struct(addr, plan, 0..size, found)?;
                    self.tell_own_items(addr, plan, size, found)?;
                }
            },
            Holding::Type => self.tell_type(addr, found)?,
        }
        for (_, offset) in plan.slots.iter() {
            tell(found, self.memory.ptr(addr.add(*offset))?)?;
        }
        match self.attributes_place(addr, &plan.ty)? {
            Place::Nowhere => {}
            Place::Dict(dict) => tell(found, dict)?,
            Place::Values(_) => {
                for (_, value) in self.namespace(addr)? {
                    tell(found, value)?;
                }
            }
        }
        Ok(())
    }

    /// Every word of the struct in this range of offsets that is an object, but for the header.
    fn tell_struct(
        &self,
        addr: Addr,
        plan: &Plan,
        range: Range<u64>,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        let start = range
            .start
            .max(self.layout.fields.object.size.offset.into());
        let middle = plan.weakrefs.filter(|at| (start..range.end).contains(at));
        let middle = middle.unwrap_or(range.end);
        self.tell_words(addr.add(start), middle.saturating_sub(start) / WORD, found)?;
        let start = middle.saturating_add(WORD);
        self.tell_words(
            addr.add(start),
            range.end.saturating_sub(start) / WORD,
            found,
        )
    }

    /// Every item behind the struct, which has this size, that is an object.
    fn tell_own_items(
        &self,
        addr: Addr,
        plan: &Plan,
        size: u64,
        found: Tell<'_>,
    ) -> Result<(), Stop> {
        if plan.base.itemsize != WORD as i64 {
            return Ok(());
        }
        let items = self.unsigned_size(addr)?;
        self.plausible(addr.add(size), items, WORD)?;
        self.tell_words(addr.add(size), items, found)
    }

    fn tell_words(&self, at: Addr, count: u64, found: Tell<'_>) -> Result<(), Stop> {
        for word in 0..count {
            let word = self.memory.ptr(at.add(word.wrapping_mul(WORD)))?;
            if self.is_object(word) {
                tell(found, word)?;
            }
        }
        Ok(())
    }

    /// The items of a `SimpleQueue` (Modules/_queuemodule.c `RingBuf`, from 3.13 on; before that they
    /// are in a list).
    fn tell_ring(&self, addr: Addr, plan: &Plan, found: Tell<'_>) -> Result<(), Stop> {
        /// Bytes behind the header: { bool; put_idx; get_idx; items; items_cap; num_items }.
        const ITEMS: u64 = 24;
        const CAPACITY: u64 = 32;
        const END: u64 = 48;
        let end = i64::from(self.layout.fields.object.size.offset) + END as i64;
        if plan.base.basicsize < end {
            return Ok(());
        }
        let items = self.memory.ptr(self.after(addr, ITEMS))?;
        let capacity = self.memory.u64(self.after(addr, CAPACITY))?;
        self.plausible(items, capacity, WORD)?;
        self.tell_words(items, capacity, found)
    }

    /// The frame at `frame`, an `_PyInterpreterFrame`: its function, namespaces, variables, and
    /// whatever lies on its evaluation stack, also behind the top.
    pub fn frame_referents(&self, frame: Addr, found: Tell<'_>) -> Result<(), Fault> {
        match self.tell_frame(frame, found) {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    fn tell_frame(&self, frame: Addr, found: Tell<'_>) -> Result<(), Stop> {
        let (f, code) = (&self.layout.fields.frame, &self.layout.fields.code);
        let object = |at: Addr| {
            let word = self.memory.ptr(at)?;
            let word = match self.layout.kinds.references.is_int(word.0) {
                true => Addr::NULL,
                false => Addr(self.layout.kinds.references.untag(word.0)),
            };
            Ok::<_, Fault>(Some(word).filter(|word| self.is_object(*word)))
        };
        let executable = object(f.code.of(frame))?;
        let parts = [
            f.function,
            Some(f.globals),
            Some(f.builtins),
            Some(f.locals),
        ];
        for part in parts.into_iter().flatten().chain(f.frame_obj) {
            if let Some(word) = object(part.of(frame))? {
                tell(found, word)?;
            }
        }
        // Frames that run no code have no variables.
        let Some(executable) = executable else {
            return Ok(());
        };
        tell(found, executable)?;
        if *self.full_name(&*self.type_of(executable)?) != *"code" {
            return Ok(());
        }
        let variables = code.nlocalsplus.unwrap_or(code.nlocals).of(executable);
        let variables = self.memory.u32(variables)?;
        let stack = self.memory.u32(code.stacksize.of(executable))?;
        if variables > MOST_SLOTS || stack > MOST_SLOTS {
            return Err(malformed(executable).into());
        }
        for slot in 0..u64::from(variables + stack) {
            if let Some(word) = object(f.localsplus.of(frame).add(slot * WORD))? {
                tell(found, word)?;
            }
        }
        Ok(())
    }

    /// A class: its namespace, its bases, and what names it.
    fn tell_type(&self, addr: Addr, found: Tell<'_>) -> Result<(), Stop> {
        let ty = self.type_at(addr)?;
        let f = &self.layout.fields.type_object;
        if let Some(dict) = self.type_dict(&ty) {
            tell(found, dict)?;
        }
        tell(found, ty.base)?;
        tell(found, ty.mro)?;
        tell(found, self.memory.ptr(f.bases.of(addr))?)?;
        if ty.is_heap() {
            let names = [Some(f.heap_name), f.heap_qualname, Some(f.heap_slots)];
            for name in names.into_iter().flatten() {
                tell(found, self.memory.ptr(name.of(addr))?)?;
            }
        }
        Ok(())
    }
}

/// Plans by the address of the type, and how classes made in Python are freed.
pub(super) type Plans = rustc_hash::FxHashMap<Addr, Arc<Plan>>;

/// The deallocator of classes made in Python, once it is known.
pub(super) type Deallocator = OnceLock<Option<Addr>>;
