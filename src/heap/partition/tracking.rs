//! In which list of the collector objects are.

use crate::heap::Heap;
use crate::heap::pieces::Pieces;
use crate::heap::tracked;

/// The lists of all objects.
pub(super) struct Tracking {
    /// By id; [`NONE`] for objects in no list.
    lists: Vec<u16>,
    /// What a list is called, by its number.
    names: Vec<String>,
    /// For each list the number of the first one with the same name.
    first: Vec<u16>,
}

/// Stands for: in no list.
const NONE: u16 = u16::MAX;

impl Tracking {
    /// Walks all lists, which are told apart by generation or else just by interpreter.
    pub(super) fn of(heap: &Heap, by_generation: bool) -> Tracking {
        let python = &heap.python;
        let target = &python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let mut lists = vec![NONE; heap.count() as usize];
        let mut put = |addr, list: u8| {
            let id = heap.id(addr);
            if let Some(entry) = id.and_then(|id| lists.get_mut(id as usize)) {
                *entry = list.into();
            }
        };
        let tracked = tracked::each(python, &pieces, &python.process.cancel, &mut put);
        let several = python.interpreters.len() > 1;
        let name = |list: &tracked::Generation| match (by_generation, list.interpreter) {
            (false, id) => format!("interpreter {id}"),
            (true, id) if several => format!("{} of interpreter {id}", list.name),
            (true, _) => list.name.to_string(),
        };
        let names: Vec<String> = tracked.generations.iter().map(name).collect();
        let same = |name: &String| names.iter().position(|other| other == name);
        let first = names.iter().filter_map(same);
        let first = first.filter_map(|at| u16::try_from(at).ok()).collect();
        Tracking {
            lists,
            first,
            names,
        }
    }

    /// The number of an object's list.
    pub(super) fn number(&self, id: u32) -> u16 {
        let list = self.lists.get(id as usize).copied().unwrap_or(NONE);
        self.first.get(usize::from(list)).copied().unwrap_or(NONE)
    }

    /// What a list is called.
    pub(super) fn name(&self, number: u64) -> String {
        let name = usize::try_from(number)
            .ok()
            .and_then(|at| self.names.get(at));
        name.map_or("untracked", |name| name).to_owned()
    }
}
