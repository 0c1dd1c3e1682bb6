//! One target of a session and what was done with it: the process image, its Python, the selected
//! thread and frame. gdb calls that an inferior. A session has one, or several when a whole family
//! of processes was attached to; a command works on the current one and knows of no others.

use super::render::heap::browse::Browsing;
use pydbg::diag::{Note, Notes};
use pydbg::heap::Heap;
use pydbg::native::Process;
use pydbg::python::runtime::Runtime;
use pydbg::python::{PyFrame, Python};
use pydbg::target::{Origin, Target};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One target and the state of looking at it.
pub struct Inferior {
    /// Its number, from 1; no other inferior of the session has it.
    pub number: usize,
    /// The open target.
    pub process: Option<Arc<Process>>,
    /// CPython in it, or why there is none.
    pub python: Option<Result<Arc<Python>, String>>,
    /// All objects of it as a graph, once a command needed that.
    pub heap: Option<Arc<Heap>>,
    /// The partition of them that `heap` showed last.
    pub browsing: Option<Browsing>,
    /// The selected thread (gdb number, from 1).
    pub thread: usize,
    /// The selected frame: an index into the merged stack of that thread.
    pub frame: usize,
    /// The frame of a traceback that `exception frame N` selected: it has ended, and stands in for
    /// the selected frame where variables are asked for.
    pub dead_frame: Option<PyFrame>,
    /// The answers of `py-print` about this target, `$1` first.
    pub values: Vec<pydbg::expr::Value>,
    /// How long the phases of opening took.
    pub timings: Vec<(String, Duration)>,
    /// Whether a live target runs on, its stacks having been captured.
    pub released: bool,
    /// Whether the user has let a live target run on, so that each command looks at it anew.
    pub running: bool,
    /// Whether the command that runs has done so.
    pub fresh: bool,
}

impl Inferior {
    /// An inferior without a target.
    pub fn new(number: usize) -> Inferior {
        Inferior {
            number,
            process: None,
            python: None,
            heap: None,
            browsing: None,
            thread: 1,
            frame: 0,
            dead_frame: None,
            values: Vec::new(),
            timings: Vec::new(),
            released: false,
            running: false,
            fresh: false,
        }
    }

    /// The open target, or the error every command gives without one.
    pub fn process(&self) -> anyhow::Result<&Arc<Process>> {
        self.process.as_ref().ok_or_else(|| {
            anyhow::anyhow!("no target is open; try \"core FILE\" or \"attach PID\"")
        })
    }

    /// CPython in the target, or why there is none.
    pub fn python(&self) -> anyhow::Result<&Arc<Python>> {
        self.process()?;
        match &self.python {
            Some(Ok(python)) => Ok(python),
            Some(Err(why)) => Err(anyhow::anyhow!("{why}")),
            None => Err(anyhow::anyhow!("no CPython was looked for")),
        }
    }

    /// CPython in the target, if it was found.
    pub fn found(&self) -> Option<&Arc<Python>> {
        self.python.as_ref()?.as_ref().ok()
    }

    /// All objects of the target as a graph, made when it is first asked for.
    pub fn heap(&mut self) -> anyhow::Result<Arc<Heap>> {
        let python = Arc::clone(self.python()?);
        // Another target, or a live process that was captured anew, has other objects.
        let same = |heap: &&Arc<Heap>| Arc::ptr_eq(&heap.python, &python);
        if let Some(heap) = self.heap.as_ref().filter(same) {
            return Ok(Arc::clone(heap));
        }
        let heap = Arc::new(Heap::of(&python)?);
        self.heap = Some(Arc::clone(&heap));
        Ok(heap)
    }

    /// The partition that `heap` showed last of this target.
    pub fn browsing(&self) -> Option<&Browsing> {
        let python = self.python().ok()?;
        let same = |browsing: &&Browsing| Arc::ptr_eq(&browsing.python, python);
        self.browsing.as_ref().filter(same)
    }

    /// Where the target came from.
    pub fn origin(&self) -> Option<&Origin> {
        Some(&self.process.as_ref()?.target.origin)
    }

    /// What was noticed in the target and in its Python so far.
    pub fn notes(&self) -> Vec<Note> {
        let target = self.process.iter().map(|process| &process.target.notes);
        let python = self.found().map(|python| &python.notes);
        target.chain(python).flat_map(Notes::all).collect()
    }

    /// The live process it is.
    pub fn pid(&self) -> Option<i32> {
        match self.origin()? {
            Origin::Live(pid) => Some(*pid),
            Origin::Core(_) | Origin::Snapshot(_) | Origin::Synthetic => None,
        }
    }

    /// Takes up a target that has just been opened: looks for its files and its Python. `start` is
    /// when the opening began; `runtime` is where Python was found a moment ago.
    pub fn adopt(&mut self, target: Target, start: Instant, runtime: Option<&Runtime>) {
        let mut start = start;
        let mut phase = |timings: &mut Vec<_>, name: &str| {
            timings.push((name.to_owned(), start.elapsed()));
            start = Instant::now();
        };
        phase(&mut self.timings, "target");
        let process = Arc::new(Process::new(Arc::new(target)));
        phase(&mut self.timings, "files");
        let python = Python::find_again(process.clone(), runtime);
        phase(&mut self.timings, "python");
        self.process = Some(process);
        self.python = Some(python.map(Arc::new).map_err(|why| why.to_string()));
    }

    /// Lets a live process run on; what was read of it stays.
    pub fn resume(&mut self) {
        if let Some(process) = &self.process {
            process.target.resume();
            self.released = true;
        }
    }

    /// Leaves the target: a live process runs on. What was left, in gdb's words; `None` without a
    /// target.
    pub fn close(&mut self) -> Option<String> {
        let left = std::mem::replace(self, Inferior::new(self.number));
        let process = left.process?;
        process.target.resume();
        Some(match process.target.origin {
            Origin::Live(pid) => format!("Detached from process {pid}; it runs on."),
            Origin::Snapshot(taken) => format!(
                "No snapshot now; process {} was let go when it was taken.",
                taken.pid
            ),
            Origin::Core(_) | Origin::Synthetic => "No core file now.".into(),
        })
    }
}
