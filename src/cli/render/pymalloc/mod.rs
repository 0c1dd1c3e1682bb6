//! CPython's own allocators in tables: pymalloc as `sys._debugmallocstats()` prints it, and mimalloc
//! where that serves.

mod mimalloc;
pub mod picture;
mod pools;

use super::heap::percent;
use crate::cli::{Out, Report};
use pydbg::diag::Note;
use pydbg::heap::alloc::mimalloc::{Figures as Segments, Segments as FoundSegments};
use pydbg::heap::alloc::pymalloc::{Figures, Filling, Pymalloc};
use pydbg::heap::pieces::Pieces;
use pydbg::python::Python;
use pydbg::python::obmalloc::Allocator;
use serde_json::{Value, json};
use std::io;

/// What was found.
pub struct Allocators {
    figures: Figures,
    /// The pools of the arenas of each state.
    fillings: Vec<Vec<Filling>>,
    /// mimalloc, in builds that have it for everything.
    mimalloc: Option<Segments>,
    /// Whether to list arenas.
    arenas: bool,
    /// The file that the picture was written to.
    pub written: Option<String>,
}

impl Allocators {
    /// Reads the books.
    pub fn of(python: &Python, arenas: bool) -> Allocators {
        let target = &python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let pymalloc = Pymalloc::of(python, &pieces);
        let tables = pymalloc.tables.iter();
        let mimalloc = python.layout.free_threaded.then(|| {
            let segments = FoundSegments::of(python, &pieces);
            segments.figures(python, &pieces)
        });
        Allocators {
            figures: pymalloc.figures(&pieces),
            fillings: tables
                .map(|table| pymalloc.fillings(&pieces, table))
                .collect(),
            mimalloc,
            arenas,
            written: None,
        }
    }

    /// What serves requests, in a sentence.
    fn serving(&self) -> String {
        let serving = &self.figures.serving;
        let allocator = match serving.allocator {
            Some(Allocator::Pymalloc) => "pymalloc serves requests for objects",
            Some(Allocator::Mimalloc) => "mimalloc serves requests for objects",
            Some(Allocator::Malloc) => "malloc serves requests for objects, pymalloc does not",
            None => "What serves requests for objects is not known",
        };
        let hooks = match serving.hooks {
            Some(true) => ", with CPython's debug hooks (16 bytes before and 16 behind each block)",
            _ => "",
        };
        format!("{allocator}{hooks} ({}).\n", serving.evidence)
    }
}

impl Report for Allocators {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if out.wrote("the picture of the arenas", &self.written)? {
            return Ok(());
        }
        out.target(self.serving().trim_end())?;
        out.end()?;
        for state in &self.figures.states {
            out.end()?;
            pools::state(out, state, self.figures.states.len() > 1)?;
            if self.arenas {
                out.end()?;
                pools::arenas(out, state)?;
            }
        }
        let none = self.figures.states.is_empty() && self.figures.problems.is_empty();
        if none && self.mimalloc.is_none() {
            out.put(format_args!("pymalloc has no arenas.\n"))?;
        }
        match &self.mimalloc {
            Some(segments) => {
                out.end()?;
                mimalloc::text(out, segments, self.arenas)
            }
            None => Ok(()),
        }
    }

    fn json(&self) -> Value {
        json!({
            "serving": self.figures.serving,
            "states": self.figures.states,
            "mimalloc": self.mimalloc,
            "written": self.written,
        })
    }

    fn notes(&self) -> Vec<Note> {
        let damaged = self.mimalloc.as_ref().map_or(0, |found| found.gaps.len());
        let first = self.mimalloc.as_ref().and_then(|found| found.gaps.first());
        let gaps = first.map(|gap| {
            format!(
                "{damaged} pages of mimalloc cannot be believed: {}",
                gap.why
            )
        });
        let problems = self.figures.problems.iter().cloned().chain(gaps);
        let note = |text| Note::partial(text);
        problems.map(note).collect()
    }
}

/// One line of a table of bytes.
fn bytes(out: &mut Out<'_>, what: &str, bytes: u64, whole: u64) -> io::Result<()> {
    let share = percent(bytes, whole);
    out.put(format_args!("{what:<42} {bytes:>15} {share:>6.1}\n"))
}
