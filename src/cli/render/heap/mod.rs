//! Objects as `heap` and `objects` show them: guppy's tables, column for column, and what is to be
//! known before they are believed.

pub mod browse;
pub mod collections;
pub mod diff;
pub mod dominators;
pub mod duplicates;
pub mod garbage;
pub mod instances;
pub mod kept;
pub mod leaks;
pub mod list;
pub mod named;
pub mod one;
pub mod partition;
pub mod path;
pub mod picture;
pub mod referrers;
pub mod treemap;

use pydbg::diag::{Note, thousands};
use pydbg::heap::Doubts;

/// Lines of one page of a table, as guppy's.
pub const PAGE: usize = 10;

/// Lists of the collector whose problems are told one by one.
const MOST_LISTS: usize = 5;

/// What is to be known about a count of objects.
pub fn doubts(doubts: &Doubts) -> Vec<Note> {
    let mut notes = Vec::new();
    if doubts.cancelled {
        let text = "interrupted: only the objects found so far are counted";
        notes.push(Note::partial(text));
    }
    for list in doubts.lists.iter().take(MOST_LISTS) {
        let text = format!("the collector's list is damaged: {list}");
        notes.push(Note::partial(text));
    }
    if let Some(more @ 1..) = doubts.lists.len().checked_sub(MOST_LISTS) {
        let text = format!("{more} more lists of the collector are damaged");
        notes.push(Note::partial(text));
    }
    if doubts.broken > 0 {
        let text = format!(
            "{} objects could not be read whole; what only they refer to is missing",
            thousands(doubts.broken)
        );
        notes.push(Note::partial(text));
    }
    if doubts.dangling > 0 {
        let text = format!(
            "{} references lead to no object",
            thousands(doubts.dangling)
        );
        notes.push(Note::partial(text));
    }
    if doubts.unsure > 0 {
        let text = format!(
            "the sizes of {} objects are not sure: code of their class tells them, or they make no \
             sense",
            thousands(doubts.unsure)
        );
        notes.push(Note::info(text));
    }
    notes
}

/// So many hundredths of the whole; of nothing everything is none.
pub fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

/// The width of a column whose largest number this is, in which guppy has `least` places.
pub fn width(largest: u64, least: usize) -> usize {
    largest.to_string().len().max(least)
}

/// `object` or `objects`.
pub fn objects(count: u64) -> &'static str {
    match count {
        1 => "object",
        _ => "objects",
    }
}

/// The line below a table that is longer.
pub fn more(rows: usize) -> String {
    let noun = if rows == 1 { "row" } else { "rows" };
    format!("<{rows} more {noun}. Type \"heap --more\" to see them.>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(doubts(&Doubts::default()), []);
        let told = doubts(&Doubts {
            unsure: 1200,
            broken: 3,
            dangling: 1,
            lists: (0..7).map(|n| format!("generation {n}")).collect(),
            cancelled: true,
        });
        assert_eq!(told.len(), 1 + MOST_LISTS + 1 + 3);
        let partial = told
            .iter()
            .filter(|note| note.severity == pydbg::diag::Severity::Partial);
        assert_eq!(partial.count(), told.len() - 1);
        assert!(told.iter().any(|note| note.text.contains("2 more lists")));
        assert!(
            told.iter()
                .any(|note| note.text.contains("sizes of 1,200 objects"))
        );
    }
}
