//! Objects as answers name them, and what there is to say of an address that is none.

use super::Heap;
use crate::addr::Addr;
use crate::python::value::Limits;
use serde::Serialize;
use std::sync::Arc;

/// How much of a value is shown in a list.
const SHORT: Limits = Limits {
    elements: 40,
    depth: 2,
    total: 60,
    attributes: false,
};

/// One object in an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Thing {
    /// Where it is.
    pub address: Addr,
    /// The full name of its class.
    #[serde(rename = "type")]
    pub class: Arc<str>,
    /// Its size as `sys.getsizeof` tells it, in bytes.
    pub size: u64,
    /// The start of its `repr`.
    pub repr: String,
}

/// No object of the graph begins at an address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoObject {
    /// It lies within one.
    #[error("{address} is no object, but {what}; try {start}")]
    Inside {
        /// The address.
        address: Addr,
        /// What lies there.
        what: String,
        /// Where the object begins.
        start: Addr,
    },
    /// An object may be there, but neither the collector nor a root leads to it.
    #[error("nothing leads to {address}, not even the garbage collector; it is {what}")]
    Unknown {
        /// The address.
        address: Addr,
        /// What lies there.
        what: String,
    },
    /// Something else.
    #[error("{address} is no object: {what}")]
    Other {
        /// The address.
        address: Addr,
        /// What lies there.
        what: String,
    },
}

impl Heap {
    /// The object with an id as answers name it.
    pub fn thing(&self, id: u32) -> Thing {
        let address = self.address(id);
        Thing {
            address,
            class: self.class(id),
            size: self.size(id),
            repr: self.python.objects.show(address, SHORT).text,
        }
    }

    /// The full name of an object's class.
    pub fn class(&self, id: u32) -> Arc<str> {
        self.kind_name(self.kind_number(id))
    }

    /// The full name of the type with a number.
    pub fn kind_name(&self, number: u32) -> Arc<str> {
        match self.kinds().get(number as usize) {
            Some(kind) => self.python.objects.full_name(&kind.keeping.ty),
            None => "?".into(),
        }
    }

    /// The id of the object that begins at an address, or what is there instead.
    pub fn object_at(&self, address: Addr) -> Result<u32, NoObject> {
        if let Some(id) = self.id(address) {
            return Ok(id);
        }
        let found = self.python.whatis(address);
        let what = found.text;
        Err(match found.object {
            Some(object) if object.start != address && self.id(object.start).is_some() => {
                NoObject::Inside {
                    address,
                    what,
                    start: object.start,
                }
            }
            Some(object) if object.start == address && !object.dead => {
                NoObject::Unknown { address, what }
            }
            _ => NoObject::Other { address, what },
        })
    }
}
