//! The exceptions of threads and of the process as they are shown: text in Python's own form, and
//! the same as data.

use super::exception_text::{self, Printed};
use super::row::PythonRow;
use super::source::Sources;
use super::thread::ThreadView;
use super::value::{ValueView, limits};
use crate::cli::{Out, Session, Style};
use anyhow::Context;
use pydbg::Addr;
use pydbg::python::Python;
use pydbg::python::exceptions::{Chain, Exception, Last, ThreadExceptions};
use pydbg::python::value::Limits;
use rustc_hash::FxHashSet;
use serde_json::{Value, json};
use std::io;

/// Documents nest exceptions so deep; readers of JSON refuse far more.
const DEEPEST: usize = 30;

/// One exception with those it is chained to, under what it is to its thread or process.
pub struct ExceptionView {
    title: String,
    address: Addr,
    lines: Vec<Printed>,
    data: Value,
}

/// What exceptions are read for.
pub struct Reading<'p, 's> {
    /// Where they are.
    pub python: &'p Python,
    /// Their source lines.
    pub sources: Sources<'s>,
    /// How much of their arguments is shown.
    pub limits: Limits,
    /// Whether a document is wanted, else text.
    pub json: bool,
}

impl Reading<'_, '_> {
    fn view(&mut self, title: String, chain: &Chain) -> ExceptionView {
        let lines = match self.json {
            true => Vec::new(),
            false => exception_text::lines(chain, &self.python.version, &mut self.sources),
        };
        let mut data = match self.json {
            true => self.data(chain, 0, 0, &mut FxHashSet::default()),
            false => Value::Null,
        };
        if let Some(data) = data.as_object_mut().filter(|_| chain.cut) {
            data.insert("more_exceptions".into(), true.into());
        }
        ExceptionView {
            title,
            address: chain.address(),
            lines,
            data,
        }
    }

    /// An exception of a chain as data; one that was written already is only named.
    fn data(
        &mut self,
        chain: &Chain,
        number: usize,
        depth: usize,
        seen: &mut FxHashSet<usize>,
    ) -> Value {
        let Some(exception) = chain.all.get(number) else {
            return Value::Null;
        };
        if depth >= DEEPEST || !seen.insert(number) {
            return json!({
                "type": exception.class,
                "address": exception.address,
                "shown_elsewhere": true,
            });
        }
        let mut link = |to: Option<usize>| match to {
            Some(to) => self.data(chain, to, depth + 1, seen),
            None => Value::Null,
        };
        let (cause, context) = (link(exception.cause), link(exception.context));
        let members = exception.members.as_ref().map(|members| {
            let all = members.known.iter().map(|to| link(Some(*to)));
            all.collect::<Vec<_>>()
        });
        let of = |address: &Addr| ValueView::of(self.python, *address, self.limits);
        let args: Vec<ValueView> = exception.args.iter().map(of).collect();
        let mut data = json!({
            "type": exception.class,
            "address": exception.address,
            "message": exception.message.known(),
            "args": args,
            "notes": exception.notes,
            "traceback": rows(exception, &mut self.sources),
            "cause": cause,
            "context": context,
            "suppress_context": exception.suppress_context,
            "exceptions": members,
        });
        let left_out = exception.traceback.left_out.map(|(_, count)| count);
        let problem = exception.problem.as_ref();
        let problem = problem.or(exception.traceback.problem.as_ref());
        if let Some(object) = data.as_object_mut() {
            if let Some(count) = left_out {
                object.insert("traceback_left_out".into(), count.into());
            }
            if let Some(problem) = problem {
                object.insert("problem".into(), problem.clone().into());
            }
        }
        data
    }
}

/// The frames of an exception's traceback, outermost first, numbered from the innermost.
pub fn rows(exception: &Exception, sources: &mut Sources<'_>) -> Vec<PythonRow> {
    let entries = &exception.traceback.entries;
    let numbered = entries.iter().zip((0..entries.len()).rev());
    numbered
        .map(|(frame, index)| PythonRow::of(index, frame, sources.line(frame)))
        .collect()
}

/// The exceptions of one thread.
pub struct ThreadReport {
    /// The thread.
    pub thread: ThreadView,
    raised: Option<ExceptionView>,
    handled: Vec<ExceptionView>,
    hooked: Vec<ExceptionView>,
    pending: Option<String>,
    /// What could not be read.
    pub problem: Option<String>,
}

impl ThreadReport {
    /// Of a thread.
    pub fn of(reading: &mut Reading<'_, '_>, thread: ThreadView) -> ThreadReport {
        let found = match &thread.python {
            Some(state) => reading.python.exceptions(state),
            None => ThreadExceptions::default(),
        };
        let titles = std::iter::once("Being handled:")
            .chain(std::iter::repeat("Being handled further out, by a caller:"));
        ThreadReport {
            raised: (found.raised.as_ref())
                .map(|chain| reading.view("Being raised:".into(), chain)),
            handled: (found.handled.iter().zip(titles))
                .map(|(chain, title)| reading.view(title.into(), chain))
                .collect(),
            hooked: (found.hooked.iter())
                .map(|(hook, chain)| reading.view(format!("Given to {hook}:"), chain))
                .collect(),
            pending: found.pending.map(|class| class.to_string()),
            problem: found.problem,
            thread,
        }
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.raised.is_none()
            && self.handled.is_empty()
            && self.hooked.is_empty()
            && self.pending.is_none()
            && self.problem.is_none()
    }

    /// The exceptions it shows.
    pub fn addresses(&self) -> impl Iterator<Item = Addr> {
        let all = self.raised.iter().chain(&self.handled).chain(&self.hooked);
        all.map(|view| view.address)
    }

    /// Prints them, each line behind `indent`.
    pub fn text(&self, out: &mut Out<'_>, indent: &str) -> io::Result<()> {
        for view in self.raised.iter().chain(&self.handled).chain(&self.hooked) {
            view.text(out, indent)?;
        }
        if let Some(class) = &self.pending {
            out.put(format_args!(
                "{indent}Asked for by another thread, not raised yet: "
            ))?;
            out.target(class)?;
            out.end()?;
        }
        if let Some(problem) = &self.problem {
            out.styled(Style::Faint, &format!("{indent}[{problem}]"))?;
            out.end()?;
        }
        Ok(())
    }

    /// The same as data.
    pub fn json(&self) -> Value {
        let mut data = serde_json::to_value(&self.thread).unwrap_or_default();
        if let Some(object) = data.as_object_mut() {
            let handled: Vec<&Value> = self.handled.iter().map(|view| &view.data).collect();
            let hooked: Vec<&Value> = self.hooked.iter().map(|view| &view.data).collect();
            object.insert("hooked".into(), json!(hooked));
            let raised = self.raised.as_ref().map(|view| &view.data);
            object.insert("raised".into(), json!(raised));
            object.insert("handled".into(), json!(handled));
            object.insert("pending".into(), json!(self.pending));
            object.insert("problem".into(), json!(self.problem));
        }
        data
    }
}

impl ExceptionView {
    /// The last exception that an interpreter remembers.
    pub fn last(reading: &mut Reading<'_, '_>, last: &Last) -> ExceptionView {
        let whose = match last.interpreter {
            0 => String::new(),
            id => format!(" of interpreter {id}"),
        };
        let title = format!("Not handled by anyone (sys.{}{whose}):", last.name);
        reading.view(title, &last.chain)
    }

    /// Where the exception is.
    pub fn address(&self) -> Addr {
        self.address
    }

    /// What it is to its thread or process.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// As data.
    pub fn json(&self) -> &Value {
        &self.data
    }

    /// Prints it, each line behind `indent`.
    pub fn text(&self, out: &mut Out<'_>, indent: &str) -> io::Result<()> {
        out.put(format_args!("{indent}{}\n", self.title))?;
        exception_text::print(out, &self.lines, indent)
    }
}

/// How the arguments of exceptions are shown.
pub fn argument_limits(session: &Session) -> Limits {
    limits(session)
}

/// The exception that `exception` shows last of the selected thread: raised, else handled, else
/// the last one of the process.
pub fn current(session: &Session) -> anyhow::Result<Chain> {
    let python = session.python()?;
    let thread = ThreadView::find(session, session.inferior.thread)?;
    let found = thread.python.map(|state| python.exceptions(&state));
    let own = found.and_then(|found| found.raised.or(found.handled.into_iter().next()));
    let last = || python.last_exceptions().into_iter().next();
    own.or_else(|| last().map(|last| last.chain))
        .with_context(|| {
            format!(
                "thread {} raises and handles no exception",
                session.inferior.thread
            )
        })
}
