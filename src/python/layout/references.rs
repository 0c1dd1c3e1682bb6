//! The references to objects that CPython's own states hold (`_PyRuntimeState`,
//! `PyInterpreterState`, `PyThreadState`), by name and place. What such a state only borrows, and
//! what waits there to be used again (free lists, caches of types), is none.

use super::{Field, Layout};
use serde::Serialize;

/// A row for each member, a column for each built-in table: the offset in bytes, `*` and how many
/// references lie there if more than one. Members that hold many of one kind are one row.
const TABLE: &str = include_str!("references.txt");

/// Which state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// `_PyRuntimeState`.
    Runtime,
    /// `PyInterpreterState`.
    Interpreter,
    /// `PyThreadState`, with what follows it in `_PyThreadStateImpl`.
    Thread,
}

/// References that lie in a row in a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct StateReferences {
    /// The member, by CPython's name for it in most versions.
    pub name: &'static str,
    /// Offset of the first, in bytes.
    pub offset: u32,
    /// How many words.
    pub count: u32,
}

impl Layout {
    /// The references in a state; `None` where no table fits this build, because the state has
    /// another size than the one that was measured, or known members lie elsewhere.
    pub fn state_references(&self, state: State) -> Option<Vec<StateReferences>> {
        let (name, size, measured) = match state {
            State::Runtime => {
                let size = self.fields.runtime?.size.offset;
                ("runtime", size, self.fingerprint.runtime)
            }
            State::Interpreter => {
                let size = self.fields.interpreter.size.offset;
                ("interpreter", size, self.fingerprint.interpreter)
            }
            State::Thread => {
                let size = self.fields.thread.size.offset;
                ("thread", size, self.fingerprint.thread)
            }
        };
        if size != measured {
            return None;
        }
        let mut lines = TABLE.lines();
        let column = lines
            .next()?
            .split_whitespace()
            .position(|head| head == self.measured)?;
        let row = |line: &'static str| {
            let mut words = line.split_whitespace();
            let is_its = words.next()? == name;
            let name = words.next().filter(|_| is_its)?;
            // Two columns were taken.
            let place = words.nth(column.checked_sub(2)?)?;
            let (offset, count) = place.split_once('*').unwrap_or((place, "1"));
            Some(StateReferences {
                name,
                offset: offset.parse().ok()?,
                count: count.parse().ok()?,
            })
        };
        let rows: Vec<StateReferences> = lines.filter_map(row).collect();
        self.agrees_with(state, &rows).then_some(rows)
    }

    /// Whether what other tables know of the state lies where these rows say.
    fn agrees_with(&self, state: State, rows: &[StateReferences]) -> bool {
        self.known_references(state).into_iter().all(|known| {
            let row = rows.iter().find(|row| row.name == known.name);
            row.map(|row| row.offset) == Some(known.offset)
        })
    }

    /// The references whose places are known of every build.
    pub fn known_references(&self, state: State) -> Vec<StateReferences> {
        let (interpreter, thread) = (&self.fields.interpreter, &self.fields.thread);
        let known = match state {
            State::Runtime => Vec::new(),
            State::Interpreter => vec![
                ("modules", Some(interpreter.modules)),
                ("sysdict", Some(interpreter.sysdict)),
                ("builtins", Some(interpreter.builtins)),
            ],
            State::Thread => vec![
                ("async_exc", Some(thread.async_exc)),
                ("current_exception", thread.current_exception),
                ("curexc_type", thread.raised_type),
                ("curexc_value", thread.raised_value),
                ("curexc_traceback", thread.raised_traceback),
                ("exc_type", thread.handled_type),
                ("exc_value", thread.handled_value),
                ("exc_traceback", thread.handled_traceback),
            ],
        };
        let reference = |(name, field): (&'static str, Option<Field>)| {
            Some(StateReferences {
                name,
                offset: field?.offset,
                count: 1,
            })
        };
        known.into_iter().filter_map(reference).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_and_lie_in_their_states() {
        let columns = TABLE.lines().next().unwrap().split_whitespace().count();
        for line in TABLE.lines() {
            assert_eq!(line.split_whitespace().count(), columns, "{line}");
        }
        for table in Layout::all_tables() {
            let interpreter = table.state_references(State::Interpreter).unwrap();
            let size = table.fields.interpreter.size.offset;
            let last = interpreter.iter().map(|row| row.offset + row.count * 8);
            assert!(last.max().unwrap() <= size, "{}", table.measured);
            assert!(table.state_references(State::Thread).is_some());
            let mut places: Vec<u32> = interpreter
                .iter()
                .flat_map(|row| (0..row.count).map(|word| row.offset + word * 8))
                .collect();
            let count = places.len();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), count, "{}", table.measured);
        }
    }

    #[test]
    fn another_build_of_the_same_version_is_not_known() {
        let mut table = (*Layout::all_tables().next().unwrap()).clone();
        table.fields.interpreter.size.offset += 8;
        assert_eq!(table.state_references(State::Interpreter), None);
    }
}
