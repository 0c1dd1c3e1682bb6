//! The state between commands: the open target, the selected thread and frame, settings. How it
//! runs a command is in [`super::call`], how it opens a target in [`super::open`].

use super::command::Command;
use super::interrupt::Interrupt;
use super::names::Names;
use super::render::heap::browse::Browsing;
use super::settings::Settings;
use super::watch::Watch;
use pydbg::diag::Cancel;
use pydbg::heap::Heap;
use pydbg::native::Process;
use pydbg::python::{PyFrame, Python};
use pydbg::target::Options;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The state between commands.
pub struct Session {
    /// All commands there are.
    pub commands: &'static [Command],
    /// Their names and abbreviations; an entry is an index into `commands`.
    pub names: Names,
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
    /// The values of `set NAME VALUE`.
    pub settings: Settings,
    /// Set by Ctrl-C.
    pub cancel: Cancel,
    /// What Ctrl-C does now; for commands that give the terminal to another program.
    pub interrupt: Interrupt,
    /// Where files of the target are looked for; as of the last opening.
    pub options: Options,
    /// Whether commands answer in JSON.
    pub json: bool,
    /// Whether a person sits at a prompt: only then is anything asked, repeated or paged.
    pub interactive: bool,
    /// Whether to leave after this command.
    pub quit: bool,
    /// The line that an empty line runs next, if a command wants another one than its own
    /// repetition: `x/8gx $sp` sets the address behind what it showed.
    pub again: Option<String>,
    /// How long the phases of opening took.
    pub timings: Vec<(String, Duration)>,
    /// Whether a live target runs on, its stacks having been captured.
    pub released: bool,
    /// Whether the user has let a live target run on, so that each command looks at it anew.
    pub running: bool,
    /// The line that runs on a target that runs on: it alone decides what is copied.
    pub now: Option<String>,
    /// What `watch` is to repeat, once its own line is done.
    pub watch: Option<Watch>,
    /// The lines of a batch that are still to be run, which decide how long a live target stays
    /// stopped; `None` at a prompt.
    pub coming: Option<Vec<String>>,
    /// Lines of scripts that wait to be run, in order.
    pub pending: VecDeque<ScriptLine>,
    /// The line of a script that runs now.
    pub script: Option<ScriptLine>,
}

/// A line that `source` has read.
#[derive(Clone, Debug)]
pub struct ScriptLine {
    /// The line.
    pub text: String,
    /// The script.
    pub file: PathBuf,
    /// Its line number, from 1.
    pub number: usize,
    /// How many scripts are open around it, for a limit on scripts that source themselves.
    pub depth: usize,
}

impl Session {
    /// A session without a target.
    pub fn new(commands: &'static [Command]) -> Session {
        Session {
            commands,
            names: super::call::names(commands),
            process: None,
            python: None,
            thread: 1,
            frame: 0,
            dead_frame: None,
            heap: None,
            browsing: None,
            values: Vec::new(),
            settings: Settings::default(),
            cancel: Cancel::default(),
            interrupt: Interrupt::default(),
            options: Options::default(),
            json: false,
            interactive: false,
            quit: false,
            again: None,
            timings: Vec::new(),
            released: false,
            running: false,
            now: None,
            watch: None,
            coming: None,
            pending: VecDeque::new(),
            script: None,
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
}
