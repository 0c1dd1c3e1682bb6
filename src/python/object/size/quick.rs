//! Rules that are told once for each type and followed for millions of its instances.

use super::{Objects, Rule, Sized, TypeInfo};
use crate::addr::Addr;
use crate::target::Fault;
use std::sync::Arc;

/// How the size of an instance of a type is told, with what lies before it, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quick {
    /// All have this size.
    Fixed(u64),
    /// This size, and `ob_size` items of another.
    Items { fixed: u64, item: u64 },
    /// This size, and the items for which there is room.
    List(u64),
    /// This size, and a table of keys or values.
    Dict(u64),
    /// This size, and a table that is not inside of the object, which has that many bytes itself.
    Set { fixed: u64, basic: u64 },
    /// What lies before, and characters.
    Str { before: u64 },
    /// This size, and digits, of which some count at least.
    Int { fixed: u64, least: u64 },
    /// As [`Objects::size_of`] tells.
    Other,
}

impl Objects {
    /// How the size of instances of a type is told.
    pub(crate) fn quick_size(&self, ty: &Arc<TypeInfo>) -> Quick {
        let Ok(plan) = self.size_plan(ty) else {
            return Quick::Other;
        };
        let fixed = plan.basic.saturating_add(plan.before);
        match plan.rule {
            _ if plan.types => Quick::Other,
            Rule::Plain if plan.item == 0 => Quick::Fixed(fixed),
            Rule::Plain => Quick::Items {
                fixed,
                item: plan.item,
            },
            Rule::List => Quick::List(fixed),
            Rule::Dict => Quick::Dict(fixed),
            Rule::Set => Quick::Set {
                fixed,
                basic: plan.basic,
            },
            Rule::Str => Quick::Str {
                before: plan.before,
            },
            Rule::Int { least } if plan.basic == plan.base => Quick::Int { fixed, least },
            _ => Quick::Other,
        }
    }

    /// Bytes that lie in front of instances of a type and belong to them.
    pub(crate) fn bytes_before(&self, ty: &Arc<TypeInfo>) -> u64 {
        self.size_plan(ty).map_or(0, |plan| plan.before)
    }

    /// The size of the struct with its items and of what lies in front of it, whatever its
    /// `__sizeof__` may tell.
    pub fn plain_bytes(&self, addr: Addr) -> Result<u64, Fault> {
        let plan = self.size_plan(&self.type_of(addr)?)?;
        let object = Sized {
            objects: self,
            addr,
            plan,
        };
        object.sum(&[object.plain_size()?, object.before()?])
    }
}
