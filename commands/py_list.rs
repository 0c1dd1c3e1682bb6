//! `py-list`: Python source around the current line.

use crate::cli::render::listing::{self, Lines};
use crate::cli::render::source::{self, Sources};
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::anyhow;
use pydbg::diag::Note;
use serde_json::{Value, json};
use std::io;

/// List the Python source around the current line.
///
/// Without an argument, lists the lines around the one the current Python frame is at, or the frame
/// that "exception frame" selected; it is marked with ">". An empty line after it lists the lines that follow. "set listsize" says how
/// many lines.
///
/// Examples:
///     py-list         the lines around the current one
///     py-list 7       lines from 7 on
///     py-list 7,20    lines 7 to 20
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyList {
    /// The first line, or the first and the last
    #[arg(value_name = "START[,END]")]
    lines: Vec<String>,
}

impl Run for PyList {
    const NAME: &'static str = "py-list";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;

    /// The Python frames are numbered in the merged stack.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::NativeStacks
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let (_, frame) = session.python_frame()?;
        let roots = source::roots(session);
        let mut sources = Sources::new(&python, &roots);
        let source = sources
            .file(&frame)
            .map_err(|why| anyhow!("no source: {why}"))?;
        let current = frame
            .position
            .line
            .and_then(|line| usize::try_from(line).ok());
        let asked = self.lines.concat();
        let size = session.settings.get_count("listsize").unwrap_or(usize::MAX);
        let lines = match (asked.as_str(), current) {
            ("", Some(current)) => Lines::around(current, size),
            ("", None) => Lines::around(usize::try_from(frame.first_line).unwrap_or(1), size),
            (asked, _) => Lines::parse(asked, size)?,
        };
        let lines = lines.within(source.lines.len(), &frame.file)?;
        let next = lines.following(size);
        session.again = Some(format!("py-list {},{}", next.first, next.last));
        Ok(Box::new(Listing {
            file: frame.file.to_string(),
            origin: source.origin,
            note: source.note.clone(),
            current,
            lines: source
                .lines
                .iter()
                .enumerate()
                .skip(lines.first - 1)
                .take(lines.last + 1 - lines.first)
                .map(|(index, text)| (index + 1, text.clone()))
                .collect(),
        }))
    }
}

/// The lines asked for.
struct Listing {
    file: String,
    origin: &'static str,
    note: Option<String>,
    current: Option<usize>,
    lines: Vec<(usize, String)>,
}

impl Report for Listing {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (number, text) in &self.lines {
            listing::line(out, *number, text, Some(*number) == self.current)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|(number, text)| json!({ "line": number, "text": text }))
            .collect();
        json!({
            "file": self.file,
            "origin": self.origin,
            "current": self.current,
            "lines": lines,
        })
    }

    fn notes(&self) -> Vec<Note> {
        source::notes(self.note.as_slice()).collect()
    }
}
