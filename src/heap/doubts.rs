//! What a count of objects may lack, and which of its sizes are less sure.

use super::closure::Closure;
use super::tally::Tally;
use serde::Serialize;

/// What is to be known about a count of objects before it is believed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Doubts {
    /// Objects whose size may be another: code of their class tells it.
    pub unsure: u64,
    /// Objects whose size or references could not all be read, so that what only they hold is missing.
    pub broken: u64,
    /// References that lead to no object.
    pub dangling: u64,
    /// Lists of the collector that are damaged, each with what is wrong with it.
    pub lists: Vec<String>,
    /// Whether the count was stopped before its end.
    pub cancelled: bool,
}

impl Doubts {
    pub(super) fn of(found: &Closure) -> Doubts {
        let sum = |part: fn(&Tally) -> u64| found.tallies.iter().map(part).sum();
        let lists = found.tracked.generations.iter();
        let damaged = lists.filter_map(|list| {
            let problem = list.problem.as_ref()?;
            let (name, interpreter) = (&list.name, list.interpreter);
            Some(format!("{name} of interpreter {interpreter}: {problem}"))
        });
        Doubts {
            unsure: sum(|tally| tally.unsure),
            broken: sum(|tally| tally.broken),
            dangling: found.dangling,
            lists: damaged.collect(),
            cancelled: found.cancelled,
        }
    }
}
