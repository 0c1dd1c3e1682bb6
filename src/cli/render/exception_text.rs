//! Exceptions as Python itself prints them (Lib/traceback.py `TracebackException.format`): chains,
//! groups as trees, tracebacks with repeated lines counted, notes.

use super::carets::{self, Line, Rules};
use super::dialect::Dialect;
use super::exception_tree::Tree;
use super::location;
use super::source::Sources;
use super::syntax_error;
use crate::cli::{Out, Style};
use pydbg::python::exceptions::{Chain, Exception, Message, Traceback};
use pydbg::python::{PyFrame, Version};
use std::io;

/// The most lines that are printed of one exception and all it is chained to.
const MOST_LINES: usize = 50_000;

/// `_RECURSIVE_CUTOFF`: how often a line is printed before its repetitions are counted.
const REPEATS: usize = 3;

/// `max_group_depth`.
const GROUP_DEPTH: usize = 10;

/// One line of the text.
pub struct Printed {
    /// What stands before it within a group.
    prefix: String,
    part: Part,
}

enum Part {
    /// Words of Python or of pydbg.
    Words(String),
    /// Where a frame is.
    Frame(PyFrame),
    /// Source, or the marks below it.
    Source(Line),
    /// The class, then what it says.
    Last { name: String, text: Option<String> },
    /// Text of the target.
    Text(String),
    /// Something that pydbg could not read.
    Problem(String),
}

/// The lines that Python prints of `chain`.
pub fn lines(chain: &Chain, version: &Version, sources: &mut Sources<'_>) -> Vec<Printed> {
    let dialect = Dialect::of(version);
    let tree = Tree::of(chain, dialect);
    let mut text = Text {
        chain,
        tree,
        dialect,
        rules: Rules::of(version),
        sources,
        lines: Vec::new(),
        depth: 0,
        need_close: false,
    };
    text.node(0);
    if chain.cut {
        text.words("[more exceptions are chained to these than are shown]");
    }
    if text.is_full() {
        text.words("[the rest is left out]");
    }
    text.lines
}

/// Prints the lines, each behind `indent`.
pub fn print(out: &mut Out<'_>, lines: &[Printed], indent: &str) -> io::Result<()> {
    for line in lines {
        out.put(format_args!("{indent}{}", line.prefix))?;
        match &line.part {
            Part::Words(words) => out.put(format_args!("{words}"))?,
            Part::Frame(frame) => {
                let line = frame.position.line;
                out.put(format_args!("  "))?;
                location::put(out, &frame.file, line, "None", &frame.function)?;
            }
            Part::Source(Line::Source(text)) => {
                out.put(format_args!("    "))?;
                out.target(text)?;
            }
            Part::Source(Line::Marks(marks)) => {
                out.put(format_args!("    "))?;
                out.styled(Style::Marked, marks)?;
            }
            Part::Source(Line::Gap(count)) => out.put(format_args!("    ...<{count} lines>..."))?,
            Part::Last { name, text } => {
                out.styled(Style::Strong, name)?;
                if let Some(text) = text {
                    out.put(format_args!(": "))?;
                    out.target(text)?;
                }
            }
            Part::Text(text) => out.target(text)?,
            Part::Problem(text) => out.styled(Style::Faint, &format!("  [{text}]"))?,
        }
        out.end()?;
    }
    Ok(())
}

struct Text<'t, 's, 'p> {
    chain: &'t Chain,
    tree: Tree,
    dialect: Dialect,
    rules: Rules,
    sources: &'s mut Sources<'p>,
    lines: Vec<Printed>,
    /// `exception_group_depth`.
    depth: usize,
    /// Whether the last exception of a group still wants its closing line.
    need_close: bool,
}

impl<'t> Text<'t, '_, '_> {
    fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES
    }

    fn indent(&self) -> String {
        " ".repeat(2 * self.depth)
    }

    fn push(&mut self, part: Part) {
        self.push_behind('|', part);
    }

    /// Adds a line; within a group it stands behind a margin.
    fn push_behind(&mut self, margin: char, part: Part) {
        let prefix = match self.depth {
            0 => String::new(),
            _ => format!("{}{margin} ", self.indent()),
        };
        self.lines.push(Printed { prefix, part });
    }

    fn words(&mut self, words: &str) {
        self.push(Part::Words(words.to_owned()));
    }

    /// A node, after those it is chained to.
    fn node(&mut self, at: usize) {
        let mut line = vec![(at, None)];
        let mut next = Some(at);
        while let Some(node) = next.and_then(|at| self.tree.nodes.get(at)) {
            let above = self.tree.above(self.chain, node);
            if let (Some((to, words)), Some(last)) = (above, line.last_mut()) {
                last.1 = Some(words);
                line.push((to, None));
            }
            next = above.map(|(to, _)| to);
        }
        for (at, words) in line.into_iter().rev() {
            if let Some(words) = words {
                self.words("");
                self.words(words);
                self.words("");
            }
            if self.is_full() {
                return;
            }
            self.one(at);
        }
    }

    /// One exception, as a tree when it is a group.
    fn one(&mut self, at: usize) {
        let Some(node) = self.tree.nodes.get(at) else {
            return;
        };
        let Some(exception) = self.chain.all.get(node.exception) else {
            return;
        };
        let Some(members) = node.members.clone() else {
            if !exception.traceback.entries.is_empty() {
                self.words("Traceback (most recent call last):");
            }
            self.traceback(&exception.traceback);
            return self.exception_only(exception);
        };
        if self.depth > GROUP_DEPTH {
            return self.words(&format!("... (max_group_depth is {GROUP_DEPTH})"));
        }
        let is_top = self.depth == 0;
        self.depth += usize::from(is_top);
        if !exception.traceback.entries.is_empty() {
            let words = "Exception Group Traceback (most recent call last):".to_owned();
            self.push_behind(if is_top { '+' } else { '|' }, Part::Words(words));
        }
        self.traceback(&exception.traceback);
        self.exception_only(exception);
        let total = exception
            .members
            .as_ref()
            .map_or(0, |members| members.total);
        self.members(&members, total);
        self.depth -= usize::from(is_top);
    }

    /// The exceptions of a group, of which there are `total`.
    fn members(&mut self, members: &[usize], total: usize) {
        let shown = members.len().min(total);
        let boxes = shown + usize::from(shown < total);
        self.need_close = false;
        for index in 0..boxes {
            let is_last = index + 1 == boxes;
            if is_last {
                self.need_close = true;
            }
            let title = match members.get(index) {
                Some(_) => format!("{}", index + 1),
                None => "...".to_owned(),
            };
            let corner = if index == 0 { "+-" } else { "  " };
            self.lines.push(Printed {
                prefix: self.indent(),
                part: Part::Words(format!(
                    "{corner}+---------------- {title} ----------------"
                )),
            });
            self.depth += 1;
            match members.get(index) {
                Some(member) => self.node(*member),
                None => {
                    let more = total - shown;
                    let plural = if more > 1 { "s" } else { "" };
                    self.words(&format!("and {more} more exception{plural}"));
                }
            }
            if is_last && self.need_close {
                self.lines.push(Printed {
                    prefix: self.indent(),
                    part: Part::Words("+------------------------------------".to_owned()),
                });
                self.need_close = false;
            }
            self.depth -= 1;
            if self.is_full() {
                return;
            }
        }
    }

    fn traceback(&mut self, traceback: &Traceback) {
        let mut last: Option<&PyFrame> = None;
        let mut count = 0;
        for (index, frame) in traceback.entries.iter().enumerate() {
            if let Some((at, left_out)) = traceback.left_out
                && index == at
            {
                self.repeated(&mut count);
                self.words(&format!("  [{left_out} entries are left out]"));
                last = None;
            }
            let same = last.is_some_and(|last| {
                last.file == frame.file
                    && last.function == frame.function
                    && last.position.line.is_some()
                    && last.position.line == frame.position.line
            });
            if !same || !self.dialect.fold {
                self.repeated(&mut count);
                last = Some(frame);
            }
            count += 1;
            if count > REPEATS || self.is_full() {
                continue;
            }
            self.frame(frame);
        }
        self.repeated(&mut count);
        if let Some(problem) = &traceback.problem {
            self.push(Part::Problem(format!(
                "the traceback is damaged: {problem}"
            )));
        }
    }

    /// Says how often a line was repeated, and begins to count again.
    fn repeated(&mut self, count: &mut usize) {
        if let Some(more) = count.checked_sub(REPEATS).filter(|more| *more > 0) {
            let plural = if more > 1 { "s" } else { "" };
            self.words(&format!(
                "  [Previous line repeated {more} more time{plural}]"
            ));
        }
        *count = 0;
    }

    fn frame(&mut self, frame: &PyFrame) {
        self.push(Part::Frame(frame.clone()));
        if let Ok(source) = self.sources.file(frame) {
            for line in carets::mark(&source.lines, &frame.position, self.rules) {
                self.push(Part::Source(line));
            }
        }
        if let Some(problem) = &frame.problem {
            self.push(Part::Problem(problem.to_string()));
        }
    }

    /// The class and what it says, and its notes.
    fn exception_only(&mut self, exception: &'t Exception) {
        let name = self.dialect.name(&exception.class).to_owned();
        let text = match (&exception.syntax, &exception.message) {
            (Some(details), _) => {
                let (before, last) = syntax_error::lines(details, self.dialect.syntax);
                for line in before {
                    self.push(Part::Text(line));
                }
                Some(last)
            }
            (None, Message::Known(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            (None, Message::Unknown(why)) => Some(format!("<{why}>")),
        };
        // A line that the target wrote must not pass for one of the lines around it.
        let mut lines = text.as_deref().unwrap_or_default().split('\n');
        let first = text.as_ref().and_then(|_| lines.next()).map(str::to_owned);
        self.push(Part::Last { name, text: first });
        for line in lines.filter(|_| text.is_some()) {
            self.push(Part::Text(format!("    {line}")));
        }
        if self.dialect.groups {
            for note in &exception.notes {
                for (index, line) in note.split('\n').enumerate() {
                    let indent = if index > 0 { "    " } else { "" };
                    self.push(Part::Text(format!("{indent}{line}")));
                }
            }
        }
        if let Some(problem) = &exception.problem {
            self.push(Part::Problem(problem.clone()));
        }
    }
}
