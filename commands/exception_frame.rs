//! `exception frame`: selects a frame of a traceback, which has mostly ended.

use crate::cli::render::exception::{current, rows};
use crate::cli::render::number::number;
use crate::cli::render::row::{PythonRow, Row};
use crate::cli::render::source::{self, Sources};
use crate::cli::render::{exception_tree, frame};
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::{Context, anyhow};
use pydbg::diag::Note;
use serde_json::{Value, json};
use std::io;

/// Select a frame of the traceback that "exception" shows, or list them.
///
/// Frame 0 is the innermost one, where the exception was raised. The frames of the exceptions that
/// are printed above it are numbered 1.0, 1.1 and so on, those above these 2.0. Variables stay in
/// a frame that has ended: py-locals, py-print and py-list look at the selected one until another
/// frame or thread is selected.
///
/// Examples:
///     exception frame       the frames with their numbers
///     exception frame 0     where the exception was raised
///     exception frame 2     two frames further out
///     exception frame 1.0   where the exception above it was raised
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct ExceptionFrame {
    /// The number of a frame, after that of its exception and a point
    #[arg(value_name = "NUMBER")]
    number: Option<String>,
}

impl Run for ExceptionFrame {
    const NAME: &'static str = "exception frame";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// Exceptions lie in memory that is not captured with the stacks.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::Memory
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let chain = current(session)?;
        let roots = source::roots(session);
        let mut sources = Sources::new(&python, &roots);
        let mut groups: Vec<Group> = exception_tree::line(&chain, &python.version)
            .into_iter()
            .filter_map(|number| chain.all.get(number))
            .map(|exception| Group {
                class: exception.class.to_string(),
                frames: rows(exception, &mut sources),
            })
            .collect();
        if let Some(text) = &self.number {
            let (which, index) = match text.split_once('.') {
                Some((which, index)) => (number(which)?, number(index)?),
                None => (0, number(text)?),
            };
            let line = exception_tree::line(&chain, &python.version);
            let exception = line.get(which).and_then(|number| chain.all.get(*number));
            let exception = exception.with_context(|| {
                format!("no exception has number {which}; there are {}", line.len())
            })?;
            let entries = &exception.traceback.entries;
            let at = entries.len().checked_sub(index.saturating_add(1));
            let frame = at.and_then(|at| entries.get(at)).ok_or_else(|| {
                let count = entries.len();
                anyhow!("no frame has number {index}; its traceback has {count} frames")
            })?;
            session.inferior.dead_frame = Some(frame.clone());
            groups = groups.into_iter().skip(which).take(1).collect();
            for group in &mut groups {
                group.frames.retain(|row| row.index == index);
            }
            return Ok(Box::new(Frames {
                selected: true,
                first: which,
                groups,
                remarks: sources.remarks().to_vec(),
            }));
        }
        Ok(Box::new(Frames {
            selected: false,
            first: 0,
            groups,
            remarks: sources.remarks().to_vec(),
        }))
    }
}

/// The frames of one exception, outermost first.
struct Group {
    class: String,
    frames: Vec<PythonRow>,
}

/// The frames asked for.
struct Frames {
    selected: bool,
    /// The number of the first exception.
    first: usize,
    groups: Vec<Group>,
    remarks: Vec<String>,
}

impl Report for Frames {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (number, group) in self.groups.iter().enumerate().rev() {
            let number = self.first + number;
            if !self.selected {
                out.target(&format!("exception {number} ({}):", group.class))?;
                out.end()?;
            }
            for row in &group.frames {
                let row = Row::Python(row.clone());
                frame::line(out, &row)?;
                if self.selected {
                    frame::source(out, &row)?;
                }
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let groups = self.groups.iter().enumerate().map(|(number, group)| {
            json!({
                "exception": self.first + number,
                "type": group.class,
                "traceback": group.frames,
            })
        });
        json!({
            "selected": self.selected,
            "exceptions": groups.collect::<Vec<_>>(),
        })
    }

    fn notes(&self) -> Vec<Note> {
        source::notes(&self.remarks).collect()
    }
}
