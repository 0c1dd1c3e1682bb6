//! What an object refers to, as the type's `tp_traverse` would tell. How a type written in C keeps
//! its references is data, in [`super::holdings`]; a class written in Python adds the slots, the
//! dictionary or values, and the class. The collector asks only objects that it could track: those
//! of other types, and static types, tell nothing (Modules/gcmodule.c `gc_get_referents`).

mod classes;
mod frames;
mod library;
mod module;
mod told;
mod words;

use super::holdings::{self, Holding, Knowledge};
use super::{Objects, RefCount, TypeInfo, flags};
use crate::addr::Addr;
use crate::python::layout::Counting;
use crate::target::Fault;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock, PoisonError};

/// The most bases between a class and the type in C that it is made from.
const MOST_BASES: usize = 1000;

/// The most types of types of types.
const MOST_METATYPES: usize = 8;

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
    /// The offsets of slots.
    pub(super) slots: Box<[u64]>,
    /// Whether instances tell their class.
    pub(super) tells_class: bool,
    /// Whether the collector asks the instances at all.
    pub(super) asked: bool,
    /// Whether it is known that instances have no references, even those it does not ask for.
    leaf: bool,
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

    /// Tells what the object at `addr` leads to, however it may be kept: beside its referents what the
    /// collector is not told of, such as the object of a weak reference. Some of it may be chance.
    pub fn leads_to(&self, addr: Addr, found: Tell<'_>) -> Result<Completeness, Fault> {
        let plan = self.plan(&self.type_of(addr)?);
        let told = self.tell_all(addr, &plan, found);
        match told.and_then(|()| self.tell_more(addr, &plan, found)) {
            Ok(()) | Err(Stop::Enough) => Ok(plan.completeness),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// Tells what an object of a type in C keeps alive without telling the collector.
    pub(super) fn untold_in_c(&self, addr: Addr, found: Tell<'_>) -> Result<(), Fault> {
        let plan = self.plan(&self.type_of(addr)?);
        match self.tell_more(addr, &plan, found) {
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    /// Whether instances of this type refer to nothing.
    pub fn is_leaf(&self, ty: &Arc<TypeInfo>) -> bool {
        !ty.is_heap() && self.plan(ty).leaf
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
            // High bits of the flags and of the lock are never used.
            Counting::Biased => self.memory.u64(addr.add(WORD)).map(|w| w & 0xfc_fc00 == 0),
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
        let (holding, knowledge) = holdings::of(&self.full_name(&base), base.is_heap());
        let holding = match ty.is(flags::TYPE) {
            true => Holding::Type,
            false => holding,
        };
        let leaf = holding == Holding::Nothing;
        // Subclasses of these are asked, but the zone of a time is not told.
        let silent = !base.is(flags::HAVE_GC) && self.full_name(&base).starts_with("datetime.");
        // Types of extensions may have references without telling the collector.
        let asked = ty.is(flags::HAVE_GC) || knowledge == Knowledge::None;
        let weakrefs = self.layout.fields.type_object.weaklistoffset.of(base.addr);
        let weakrefs = self.memory.i64(weakrefs).ok();
        Plan {
            ty: Arc::clone(ty),
            is_type: self.is_type(ty),
            weakrefs: weakrefs.and_then(|offset| u64::try_from(offset).ok()),
            asked,
            leaf,
            holding: match asked && !silent {
                true => holding,
                false => Holding::Nothing,
            },
            completeness: match knowledge {
                Knowledge::All => Completeness::Whole,
                Knowledge::Some | Knowledge::None => Completeness::MayHide,
            },
            slots: self.own_slots(ty, &base),
            tells_class: self.tells_class(ty, &base),
            base,
        }
    }

    /// The offsets of slots of classes written in Python. Members of types in C have descriptors of
    /// the same kind, but are in the struct.
    fn own_slots(&self, ty: &Arc<TypeInfo>, base: &TypeInfo) -> Box<[u64]> {
        let table = self.slot_table(ty).unwrap_or_default();
        let offsets = table.iter().map(|(_, offset)| *offset);
        let size = u64::try_from(base.basicsize).unwrap_or(0);
        offsets.filter(|offset| *offset >= size).collect()
    }

    /// Whether instances tell their class.
    fn tells_class(&self, ty: &TypeInfo, base: &TypeInfo) -> bool {
        let is_in_c = ty.addr == base.addr;
        let silent = || {
            !self.layout.kinds.told.classes || holdings::CLASSLESS.contains(&&*self.full_name(ty))
        };
        ty.is_heap() && !(is_in_c && silent())
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
}

/// Plans by the address of the type, and how classes made in Python are freed.
pub(super) type Plans = rustc_hash::FxHashMap<Addr, Arc<Plan>>;

/// The deallocator of classes made in Python, once it is known.
pub(super) type Deallocator = OnceLock<Option<Addr>>;
