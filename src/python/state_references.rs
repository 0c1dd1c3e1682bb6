//! The references to objects that CPython's own states hold: the runtime's, an interpreter's, a
//! thread's. Where no table tells which words these are, every word that is an object is taken, and
//! only what is known of every build has a name.

use super::Python;
use super::layout::State;
use crate::addr::Addr;
use crate::target::Fault;

/// Bytes of a reference.
const WORD: u64 = 8;

/// The most words of a state that are searched.
const MOST_WORDS: u64 = 1 << 17;

/// One reference that a state holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// The member of the state; `None` where a search found the reference, not a table.
    pub name: Option<&'static str>,
    /// Where the reference stands.
    pub at: Addr,
    /// The object.
    pub object: Addr,
}

impl Python {
    /// The references that the state at `start` holds; words that are no objects are left out.
    pub fn held_by_state(&self, state: State, start: Addr) -> Result<Vec<Held>, Fault> {
        let Some(rows) = self.layout.state_references(state) else {
            return self.objects_in_state(state, start);
        };
        let mut found = Vec::new();
        for row in rows {
            let first = start.add(row.offset.into());
            let words = self.objects.pointers(first, row.count as usize)?;
            for (at, object) in places(first).zip(words) {
                if self.objects.is_object(object) {
                    let name = Some(row.name);
                    found.push(Held { name, at, object });
                }
            }
        }
        Ok(found)
    }

    /// Every word of the state at `start` that is an object, whether it counts as a reference or is
    /// only borrowed.
    pub fn objects_in_state(&self, state: State, start: Addr) -> Result<Vec<Held>, Fault> {
        let f = &self.layout.fields;
        let size = match state {
            State::Runtime => f.runtime.map_or(0, |runtime| runtime.size.offset),
            State::Interpreter => f.interpreter.size.offset,
            State::Thread => f.thread.size.offset,
        };
        let count = (u64::from(size) / WORD).min(MOST_WORDS);
        let words = self.objects.pointers(start, count as usize)?;
        let held = places(start).zip(words);
        let known = self.layout.known_references(state);
        let name = |at: Addr| {
            let known = known.iter();
            let mut its = known.filter(|known| start.add(known.offset.into()) == at);
            its.next().map(|known| known.name)
        };
        Ok(held
            .filter(|(_, object)| self.objects.is_object(*object))
            .map(|(at, object)| Held {
                name: name(at),
                at,
                object,
            })
            .collect())
    }
}

/// The words from `first` on.
fn places(first: Addr) -> impl Iterator<Item = Addr> {
    (0..).map(move |index: u64| first.add(index.wrapping_mul(WORD)))
}
