//! One object in an answer, and answers about single objects with what is to be known of the heap.

use super::doubts;
use crate::cli::{Out, Report, Style};
use pydbg::diag::{Note, Severity};
use pydbg::heap::{Heap, Thing};
use serde_json::Value;
use std::io;

/// `dict at 0x7f…, 232 bytes: {'a': 1}`, without the end of the line.
pub fn thing(out: &mut Out<'_>, thing: &Thing) -> io::Result<()> {
    out.target(&thing.class)?;
    out.put(format_args!(" at "))?;
    out.styled(Style::Address, &thing.address.to_string())?;
    out.put(format_args!(", {} bytes: ", thing.size))?;
    out.target(&thing.repr)
}

/// An answer from a heap that may lack something.
struct Doubtful<R> {
    report: R,
    notes: Vec<Note>,
}

/// An answer with what the heap lacks.
pub fn of_references(heap: &Heap, report: impl Report + 'static) -> Box<dyn Report> {
    let mut notes = doubts(&heap.doubts);
    notes.retain(|note| note.severity == Severity::Partial);
    Box::new(Doubtful { report, notes })
}

/// The same with what is to be known of the sizes.
pub fn of_sizes(heap: &Heap, report: impl Report + 'static) -> Box<dyn Report> {
    let notes = doubts(&heap.doubts);
    Box::new(Doubtful { report, notes })
}

/// An answer from two heaps: what each of them lacks.
pub fn of_both(old: &Heap, new: &Heap, report: impl Report + 'static) -> Box<dyn Report> {
    let mut notes = doubts(&new.doubts);
    notes.extend(doubts(&old.doubts).into_iter().map(|note| Note {
        text: format!("in the older dump: {}", note.text),
        ..note
    }));
    Box::new(Doubtful { report, notes })
}

impl<R: Report> Report for Doubtful<R> {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.report.text(out)
    }

    fn json(&self) -> Value {
        self.report.json()
    }

    fn notes(&self) -> Vec<Note> {
        let own = self.report.notes();
        self.notes.iter().cloned().chain(own).collect()
    }
}
