//! Whose attributes a dictionary holds: those of an instance, a module or a class.

use crate::addr::Addr;
use crate::heap::Heap;
use crate::heap::pieces::Pieces;
use crate::heap::trace::{Follow, Tracer, Visit};
use crate::python::object::{AttributesAt, flags};
use rayon::prelude::*;

/// Dictionaries of attributes, each with the address of the class whose instance's they are; by id.
pub(super) struct Dicts(Vec<(u32, u64)>);

/// Meets the dictionary of an object.
#[derive(Default)]
struct Own(Option<Addr>);

impl Visit for Own {
    fn refer(&mut self, _: Addr) {}

    fn own(&mut self, dict: Addr) {
        self.0 = Some(dict);
    }
}

impl Dicts {
    /// Looks at all objects that may have such a dictionary.
    pub(super) fn of(heap: &Heap) -> Dicts {
        let target = &heap.python.process.target;
        let objects = &heap.python.objects;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let tracer = Tracer::new(objects, &pieces, Follow::Everything);
        let owned = |id: u32| {
            let keeping = &heap.kind(id)?.keeping;
            let class = keeping.ty.is(flags::TYPE);
            let may = class || keeping.attributes != AttributesAt::Nowhere;
            if !may || !keeping.refers() {
                return None;
            }
            let addr = heap.address(id);
            let mut own = Own::default();
            // What cannot be read was counted by the closure.
            let _ = tracer.referents(addr, keeping, &mut own);
            let dict = own.0.or_else(|| objects.dict_of_type(&keeping.ty, addr))?;
            Some((heap.id(dict)?, id))
        };
        let all = (0..heap.count()).into_par_iter();
        let mut all: Vec<(u32, u32)> = all.filter_map(owned).collect();
        // A dictionary that several objects share counts for the first.
        all.sort_unstable();
        all.dedup_by_key(|(dict, _)| *dict);
        let class = |id| heap.kind(id).map_or(0, |kind| kind.keeping.ty.addr.0);
        Dicts(
            all.into_iter()
                .map(|(dict, id)| (dict, class(id)))
                .collect(),
        )
    }

    /// The class of whose instance an object is the dictionary.
    pub(super) fn owner(&self, id: u32) -> Option<u64> {
        let at = self.0.binary_search_by_key(&id, |(dict, _)| *dict).ok()?;
        self.0.get(at).map(|(_, class)| *class)
    }
}
