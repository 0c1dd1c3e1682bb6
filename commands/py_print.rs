//! `py-print`: evaluates a Python expression in the selected frame, without running any code.

use crate::cli::render::raw::{RawWord, words};
use crate::cli::render::value::limits;
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use anyhow::{Context, anyhow, bail};
use pydbg::diag::Note;
use pydbg::expr::{Evaluator, FrameScope, ScopeKind, Value, carets};
use pydbg::python::value::{Limits, Shown};
use serde_json::json;
use std::io;

/// Print the value of a Python expression in the selected frame.
///
/// A name is looked up as Python does, and the answer says where it was found: local, enclosing,
/// global or builtin; then among the imported modules. Attributes, subscripts and slices,
/// literals, comparisons, and/or/not and arithmetic work as in Python, and so do len, type, id,
/// isinstance, repr, str, hex, dir and vars; sizeof(x) is sys.getsizeof(x), refcount(x) its
/// reference count. *ADDRESS is the object at an address. $ is the last answer, $1 the first one,
/// $$ the one before the last.
///
/// No code of the target is run: a property is shown as such, and what only a method of the
/// target could tell is refused.
///
/// Options may also be written behind a slash: py-print/r x, py-print/d 2 x.
///
/// Examples:
///     py-print request.headers['host']
///     py-print len(queue) > 1000
///     py-print *0x7f0012345678
///     py-print collections.deque
///     py-print/s body              the whole string
///     py-print/r account           the words of its C struct
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct PyPrint {
    /// Print the words of the object's C struct
    #[arg(short, long)]
    raw: bool,
    /// Print values within values no deeper than this
    #[arg(short, long, value_name = "DEPTH")]
    depth: Option<usize>,
    /// Print no more items of a container and characters of a string; 0: all
    #[arg(short, long, value_name = "COUNT")]
    elements: Option<usize>,
    /// Print strings whole
    #[arg(short, long)]
    string: bool,
    /// The expression; without one, the last answer again
    #[arg(value_name = "EXPRESSION")]
    expression: Option<String>,
}

impl Run for PyPrint {
    const NAME: &'static str = "py-print";
    const ALIASES: &'static [&'static str] = &["pp", "print"];
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Python;
    const RAW: bool = true;

    /// Values are read when they are asked for.
    fn needs(_session: &Session, _words: &[String]) -> Needs {
        Needs::Memory
    }

    fn run(mut self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let tail = self.expression.take().unwrap_or_default();
        let text = self.slash_options(&tail)?;
        let text = if text.is_empty() { "$" } else { text };
        let (python, frame) = session.python_frame()?;
        let scope = FrameScope::of(&python, &frame);
        let evaluator = Evaluator::new(&python.objects, &scope, &session.inferior.values);
        let answer = evaluator.evaluate(text).map_err(|error| {
            let place = carets(text, error.span);
            anyhow!("{error}\n    {text}\n    {place}")
        })?;
        let shown = evaluator.show(&answer.value, self.limits(session));
        let address = answer.value.address();
        let raw = match (self.raw, address) {
            (false, _) => Vec::new(),
            (true, Some(address)) => words(&python, address)?,
            (true, None) => bail!("the value was computed here and has no structure in the target"),
        };
        let class = evaluator.class_name(&answer.value);
        session.inferior.values.push(answer.value.clone());
        Ok(Box::new(Printed {
            expression: text.to_owned(),
            number: session.inferior.values.len(),
            scope: answer.scope,
            value: answer.value,
            class,
            shown,
            note: answer.note,
            raw,
        }))
    }

    fn complete_after(session: &Session, before: &str, word: &str) -> Vec<String> {
        let Ok((python, frame)) = session.python_frame() else {
            return Vec::new();
        };
        let scope = FrameScope::of(&python, &frame);
        let evaluator = Evaluator::new(&python.objects, &scope, &session.inferior.values);
        evaluator.complete(&format!("{before}{word}"), before.len())
    }
}

impl PyPrint {
    /// Takes options written as gdb's, `/r`, `/rs`, `/d 3`, `/e10`, from the start of the tail.
    fn slash_options<'t>(&mut self, tail: &'t str) -> anyhow::Result<&'t str> {
        let mut rest = tail.trim();
        while let Some(letters) = rest.strip_prefix('/') {
            rest = letters;
            while let Some(letter) = rest.chars().next().filter(|c| !c.is_whitespace()) {
                rest = rest.get(letter.len_utf8()..).unwrap_or("");
                match letter {
                    'r' => self.raw = true,
                    's' => self.string = true,
                    'd' => self.depth = Some(count(&mut rest, letter)?),
                    'e' => self.elements = Some(count(&mut rest, letter)?),
                    _ => bail!("there is no option /{letter}; try /r, /s, /d DEPTH or /e COUNT"),
                }
            }
            rest = rest.trim_start();
        }
        Ok(rest)
    }

    /// The limits of `set print …`, for one value that was asked for: more of it is shown than in
    /// a list.
    fn limits(&self, session: &Session) -> Limits {
        const ROOM: usize = 64 << 10;
        let unlimited = |count: usize| if count == 0 { usize::MAX } else { count };
        let mut limits = limits(session);
        limits.total = limits.total.max(ROOM);
        if let Some(depth) = self.depth {
            limits.depth = depth;
        }
        if let Some(elements) = self.elements {
            limits.elements = unlimited(elements);
        }
        if self.string {
            limits.elements = usize::MAX;
            limits.total = usize::MAX;
        }
        limits
    }
}

/// The number behind an option's letter.
fn count(rest: &mut &str, letter: char) -> anyhow::Result<usize> {
    let text = rest.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, behind) = text.split_at(end.unwrap_or(text.len()));
    *rest = behind;
    let count = digits.parse().ok();
    count.with_context(|| format!("/{letter} wants a number, such as /{letter} 3"))
}

/// An answer.
struct Printed {
    expression: String,
    number: usize,
    scope: Option<ScopeKind>,
    value: Value,
    class: String,
    shown: Shown,
    note: Option<String>,
    raw: Vec<RawWord>,
}

impl Report for Printed {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        match self.scope {
            Some(scope) => {
                out.put(format_args!("{scope} '"))?;
                out.target(&self.expression)?;
                out.put(format_args!("' = "))?;
            }
            None => out.put(format_args!("${} = ", self.number))?,
        }
        out.target(&self.shown.text)?;
        if let Some(note) = &self.note {
            out.put(format_args!("  "))?;
            out.styled(Style::Faint, &format!("({note})"))?;
        }
        out.end()?;
        for word in &self.raw {
            let value = match word.word {
                Some(value) => format!("{:#018x}", value.0),
                None => "<unreadable>".to_owned(),
            };
            let field = word.field.as_deref().unwrap_or("");
            out.put(format_args!("  +{:<5} {field:<18} {value}", word.offset))?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let mut data = json!({
            "expression": self.expression,
            "number": self.number,
            "scope": self.scope,
            "note": self.note,
            "value": {
                "type": self.class,
                "address": self.value.address(),
                "repr": self.shown.text,
                "cut": self.shown.cut,
                "unreadable": self.shown.unreadable,
            },
        });
        if !self.raw.is_empty() {
            data["raw"] = json!(self.raw);
        }
        data
    }

    fn notes(&self) -> Vec<Note> {
        let unreadable = self.shown.unreadable > 0;
        let text = || "a part of the value cannot be read".to_owned();
        let note = unreadable.then(|| Note::partial(text()));
        note.into_iter().collect()
    }
}
