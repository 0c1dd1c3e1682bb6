//! What is to be known of a type to follow the references of millions of its instances without
//! asking again: how they keep their references, and where.

use super::holdings::Holding;
use super::referents::{Completeness, Tell};
use super::{Objects, TypeInfo, flags};
use crate::addr::Addr;
use crate::target::Fault;
use std::sync::Arc;

/// How instances of a type keep references beside slots, attributes and the class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Nothing.
    Nothing,
    /// Objects or NULL in these words behind the header.
    Words(&'static [u8]),
    /// As a tuple: `ob_size` pointers in the object.
    Tuple,
    /// As a list: a pointer to `ob_size` pointers.
    List,
    /// As a dictionary.
    Dict,
    /// As a set.
    Set,
    /// In a way that only [`Objects::referents`] knows; slots and attributes included.
    Other,
}

/// Where instances of a type keep their attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttributesAt {
    /// They have none.
    Nowhere,
    /// A dictionary, at an offset.
    Offset(u64),
    /// As the version's kind of managed dictionary.
    Managed,
    /// As only [`Objects::referents`] knows.
    Other,
}

/// What the instances of one type have in common.
#[derive(Debug)]
pub struct Keeping {
    /// The type.
    pub ty: Arc<TypeInfo>,
    /// Whether it is a type at all.
    pub is_type: bool,
    /// Whether the collector asks the instances at all; those of other types refer to nothing, but for
    /// what is untold.
    pub asked: bool,
    /// How references are kept.
    pub content: Content,
    /// Whether all references are found.
    pub completeness: Completeness,
    /// Whether instances keep objects alive that [`Objects::untold`] knows of.
    pub untold: bool,
    /// Whether instances tell their class.
    pub tells_class: bool,
    /// The offsets of slots, in bytes.
    pub slots: Box<[u64]>,
    /// Where attributes are.
    pub attributes: AttributesAt,
}

impl Keeping {
    /// Whether instances refer to anything.
    pub fn refers(&self) -> bool {
        let own = !self.slots.is_empty() || self.attributes != AttributesAt::Nowhere;
        let more = self.tells_class || self.content != Content::Nothing;
        self.untold || self.asked && (more || own)
    }
}

/// Whether the collector is told of some references only.
fn is_partly_told(holding: Holding) -> bool {
    use Holding::{Module, Pickler, Unpickler};
    matches!(holding, Module | Pickler | Unpickler)
}

impl Objects {
    /// How the instances of a type keep their references.
    pub fn keeping(&self, ty: &Arc<TypeInfo>) -> Keeping {
        let plan = self.plan(ty);
        let content = match plan.holding {
            Holding::Nothing | Holding::Silent => Content::Nothing,
            Holding::Words(words) => Content::Words(words),
            Holding::Items if ty.is(flags::TUPLE) => Content::Tuple,
            Holding::Items if ty.is(flags::LIST) => Content::List,
            // What subclasses in C add is not looked at here.
            Holding::Dict
                if plan.base.basicsize == i64::from(self.layout.fields.dict.size.offset) =>
            {
                Content::Dict
            }
            Holding::Set => Content::Set,
            _ => Content::Other,
        };
        let old = self.layout.fields.instance.is_some() && *self.full_name(ty) == *"instance";
        let attributes = match (ty.is(flags::MANAGED_DICT), ty.dictoffset) {
            _ if old => AttributesAt::Other,
            (true, _) if self.has_managed() => AttributesAt::Managed,
            (_, 0) => AttributesAt::Nowhere,
            (_, offset @ 1..) => AttributesAt::Offset(offset as u64),
            _ => AttributesAt::Other,
        };
        Keeping {
            is_type: plan.is_type,
            content: match attributes {
                AttributesAt::Other => Content::Other,
                // Not even the class is told.
                _ if ty.is_heap() && !plan.asked => Content::Other,
                _ => content,
            },
            asked: plan.asked,
            tells_class: plan.tells_class,
            completeness: plan.completeness,
            untold: ty.is(flags::TYPE) || self.is_code(ty) || is_partly_told(plan.holding),
            slots: plan.slots.clone(),
            attributes,
            ty: Arc::clone(ty),
        }
    }

    pub(super) fn is_code(&self, ty: &TypeInfo) -> bool {
        !ty.is_heap() && *self.full_name(ty) == *"code"
    }

    /// What the object at `addr` keeps alive without telling the collector: the names of a class, all of a
    /// static one, all that code is made of, strings of a module in C, what a pickler has written. Other objects have nothing of the kind here.
    pub(crate) fn untold(&self, addr: Addr, found: Tell<'_>) -> Result<(), Fault> {
        let ty = self.type_of(addr)?;
        if self.is_code(&ty) {
            return self.leads_to(addr, found).map(|_| ());
        }
        if is_partly_told(self.plan(&ty).holding) {
            return self.untold_in_c(addr, found);
        }
        if !ty.is(flags::TYPE) {
            return Ok(());
        }
        // The collector asks a static type for nothing.
        if !self.type_at(addr)?.is_heap() {
            return self.untold_in_c(addr, found);
        }
        let f = &self.layout.fields.type_object;
        let names = [Some(f.heap_name), f.heap_qualname, Some(f.heap_slots)];
        for name in names.into_iter().flatten() {
            let name = self.memory.ptr(name.of(addr))?;
            if !name.is_null() && found(name).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn has_managed(&self) -> bool {
        self.layout.kinds.attributes != crate::python::layout::Attributes::DictOffset
    }

    /// The namespace of the object at `addr` if it is a class, as instances of `ty` are or not.
    pub(crate) fn dict_of_type(&self, ty: &TypeInfo, addr: Addr) -> Option<Addr> {
        let class = ty.is(flags::TYPE).then(|| self.type_at(addr).ok())??;
        self.type_dict(&class)
    }
}
