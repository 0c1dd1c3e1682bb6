//! An older dump that single objects of a newer one are looked for in.

use super::trail::Trails;
use crate::heap::suspects::{Accused, Suspect};
use crate::heap::{Form, Heap};
use serde::Serialize;

/// What was in a suspect before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Before {
    /// What it retained, in bytes.
    pub retained: u64,
    /// What `len` told of it, where that is known.
    pub length: Option<u64>,
}

/// An older dump.
pub struct Past<'h> {
    old: &'h Heap,
    trails: Trails<'h>,
}

impl<'h> Past<'h> {
    /// The dump as a past.
    pub fn of(old: &'h Heap) -> Past<'h> {
        Past {
            old,
            trails: Trails::new(old),
        }
    }

    /// What was in a suspect of a newer dump, if the same object was there: one of the same class at
    /// the same place and on the same path.
    pub fn before(&self, new: &Heap, suspect: &Suspect) -> Option<Before> {
        let object = match &suspect.who {
            Accused::Container(container) => &container.object,
            Accused::Object { object } | Accused::Chain { object, .. } => object,
            Accused::Class { .. } => return None,
        };
        let id = new.id(object.address)?;
        let path = Trails::new(new).of(id)?;
        let found = same(new, id, &path, &self.trails)?;
        let form = Form::of(self.old, found);
        Some(Before {
            retained: self.old.retained.of(found),
            length: form.length(self.old, object.address),
        })
    }
}

/// The object of another dump at the same place as this one, if it has the same class and path.
pub(super) fn same(heap: &Heap, id: u32, path: &str, other: &Trails<'_>) -> Option<u32> {
    let found = other.heap.id(heap.address(id))?;
    let is_same = other.heap.class(found) == heap.class(id);
    (is_same && other.of(found).as_deref() == Some(path)).then_some(found)
}
