//! `locks`: who holds which lock, who waits for it, and what hangs the program.

use crate::cli::render::address;
use crate::cli::render::drawing::write;
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
/// Examples:
///     locks                   what hangs, and all locks that are waited for or held
///     locks -a                every lock there is
///     locks 0x7fdc3ad4c350    one lock, with the stacks of those it concerns
///     locks --svg waits.svg   the graph of who waits for whom, as a picture
///     locks --dot waits.dot   the same for Graphviz
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct LocksCommand {
    /// List every threading.Lock and RLock, also those that nobody holds
    #[arg(short, long)]
    all: bool,
    /// Write the graph of who waits for whom in the language of Graphviz
    #[arg(long, value_name = "FILE")]
    dot: Option<PathBuf>,
    /// Write the graph of who waits for whom as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// A lock
    #[arg(value_name = "ADDRESS", conflicts_with_all = ["dot", "svg", "all"])]
    address: Option<String>,
}

impl Run for LocksCommand {
    const NAME: &'static str = "locks";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
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
            let files = [
                (&self.dot, drawing.dot("locks")),
                (&self.svg, drawing.svg()),
            ];
            for (file, text) in files {
                if let Some(file) = file {
                    write(file, &text)?;
                    written.push(file.display().to_string());
                }
            }
        }
        Ok(Box::new(All { view, written }))
    }
}

/// The locks of the process, and the files that pictures were written to.
struct All {
    view: LocksView,
    written: Vec<String>,
}

impl Report for All {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for file in &self.written {
            out.put(format_args!("Wrote the graph of who waits for whom to "))?;
            out.target(file)?;
            out.put(format_args!(".\n"))?;
        }
        if !self.written.is_empty() {
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
        Ok(())
    }

    fn json(&self) -> Value {
        let mut data = self.view.json();
        if let Some(data) = data.as_object_mut() {
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
