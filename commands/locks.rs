//! `locks`: who holds which lock, who waits for it, and what hangs the program.

use crate::cli::render::address;
use crate::cli::render::drawing::{Drawing, write};
use crate::cli::render::families::FamilyView;
use crate::cli::render::families::hint::Hint;
use crate::cli::render::locks::LocksView;
use crate::cli::render::locks::one::OneLock;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::sync::Locks;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;

/// Show who holds each lock, who waits for it, and what hangs the program.
///
/// First come the verdicts: threads that wait for each other (deadlock), locks that nobody can
/// release any more (orphaned), waits that nobody is left to end (lost wakeup), and locks whose
/// owner is busy with something else. Then every lock that a thread waits for is listed, and
/// every lock that a "with" statement is seen to hold; with -a also all other threading.Lock and
/// RLock objects there are. Given the ADDRESS of a lock, that one is shown in full, with the stacks
/// of its owner and of those who wait.
///
/// An owner is "known" when the lock itself says who it is, and "inferred" when it follows from what
/// a thread is doing: a frame inside of a "with" statement of the lock. A plain lock that was taken
/// with acquire() says nothing of its owner, which is unknown then.
///
/// Where threads of a live process wait for what other processes may do (write into a pipe, end,
/// release a lock that is shared), a last line names these and how to look at them together.
///
/// With --tree the threads of the process and of all processes below it are looked at together:
/// who waits for data that another process writes, for a child to end, for a lock that processes
/// share. Each verdict names the whole chain, and is said only of threads that stood still
/// meanwhile. The other processes are not stopped for it.
///
/// Examples:
///     locks                   what hangs, and all locks that are waited for or held
///     locks -a                every lock there is
///     locks 0x7fdc3ad4c350    one lock, with the stacks of those it concerns
///     locks --tree            what hangs a whole family of processes
///     locks --svg waits.svg   the graph of who waits for whom, as a picture
///     locks --dot waits.dot   the same for Graphviz
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct LocksCommand {
    /// List every threading.Lock and RLock, also those that nobody holds
    #[arg(short, long)]
    all: bool,
    /// Join what the process and those below it wait for
    #[arg(long, conflicts_with = "all")]
    tree: bool,
    /// Write the graph of who waits for whom in the language of Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write the graph of who waits for whom as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// A lock
    #[arg(value_name = "ADDRESS", conflicts_with_all = ["dot", "svg", "all", "tree"])]
    address: Option<String>,
}

impl Run for LocksCommand {
    const NAME: &'static str = "locks";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if self.tree {
            return Ok(Box::new(self.tree(session)?));
        }
        let python = session.python()?.clone();
        if let Some(text) = &self.address {
            let address = address::evaluate(session, text)?;
            let (locks, at) = Locks::with(&python, address);
            let Some(at) = at else {
                bail!("At {address} there is no lock that is known; see \"whatis {address}\".");
            };
            let view = LocksView::of(session, locks)?;
            return Ok(Box::new(One(OneLock::of(session, view, at)?)));
        }
        let locks = match self.all {
            true => Locks::every(&python),
            false => Locks::of(&python),
        };
        let view = LocksView::of(session, locks)?;
        let mut written = Vec::new();
        if self.dot.is_some() || self.svg.is_some() {
            let (drawing, left_out) = view.picture();
            if left_out > 0 {
                let text = format!("{left_out} waits are not in the picture, which has the first");
                python.process.target.notes.partial(text);
            }
            written = self.draw(&drawing)?;
        }
        Ok(Box::new(All {
            elsewhere: Hint::of(session),
            view,
            written,
        }))
    }
}

impl LocksCommand {
    /// The waits of a family of processes.
    fn tree(&self, session: &Session) -> anyhow::Result<FamilyView> {
        let mut view = FamilyView::of(session)?;
        if self.dot.is_some() || self.svg.is_some() {
            let (drawing, left_out) = view.picture();
            view.left_out(left_out);
            view.written = self.draw(&drawing)?;
        }
        Ok(view)
    }

    /// Writes a picture to the files that were asked for, and names them.
    fn draw(&self, drawing: &Drawing) -> anyhow::Result<Vec<String>> {
        let files = [
            (&self.dot, drawing.dot("locks")),
            (&self.svg, drawing.svg()),
        ];
        let mut written = Vec::new();
        for (file, text) in files {
            if let Some(file) = file {
                write(file, &text)?;
                written.push(file.display().to_string());
            }
        }
        Ok(written)
    }
}

/// The locks of the process, and the files that pictures were written to.
struct All {
    view: LocksView,
    written: Vec<String>,
    /// Waits that other processes may explain.
    elsewhere: Option<Hint>,
}

impl Report for All {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if out.wrote("the graph of who waits for whom", &self.written)? {
            return Ok(());
        }
        let locks = &self.view.locks;
        let found = self.view.verdicts(out)?;
        if locks.all.is_empty() {
            out.put(format_args!("No thread waits for a lock that is known.\n"))?;
        } else {
            if !found {
                out.put(format_args!("No deadlock found.\n\n"))?;
            }
            self.view.table(out)?;
        }
        if !locks.unknown.is_empty() {
            out.end()?;
        }
        for (thread, address) in &locks.unknown {
            out.put(format_args!(
                "Thread {thread} waits on the futex at {address}, whose lock is not known.\n"
            ))?;
        }
        if let Some(hint) = &self.elsewhere {
            out.end()?;
            hint.text(out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut data = self.view.json();
        if let Some(data) = data.as_object_mut() {
            data.insert("elsewhere".to_owned(), json!(self.elsewhere));
            data.insert("written".to_owned(), json!(self.written));
        }
        data
    }
}

/// One lock.
struct One(OneLock);

impl Report for One {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        self.0.text(out)
    }

    fn json(&self) -> Value {
        self.0.json()
    }
}
