//! The state between commands: the open targets, of which one is the current one, and settings. How it
//! runs a command is in [`super::call`], how it opens a target in [`super::open`].

use super::command::Command;
use super::inferior::Inferior;
use super::interrupt::Interrupt;
use super::names::Names;
use super::render::heap::browse::Browsing;
use super::settings::Settings;
use super::watch::Watch;
use pydbg::diag::Cancel;
use pydbg::heap::Heap;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::Options;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// The state between commands.
pub struct Session {
    /// All commands there are.
    pub commands: &'static [Command],
    /// Their names and abbreviations; an entry is an index into `commands`.
    pub names: Names,
    /// The current target, or the place for one: what commands work on.
    pub inferior: Inferior,
    /// The other targets that are open, by number.
    others: Vec<Inferior>,
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
            inferior: Inferior::new(1),
            others: Vec::new(),
            settings: Settings::default(),
            cancel: Cancel::default(),
            interrupt: Interrupt::default(),
            options: Options::default(),
            json: false,
            interactive: false,
            quit: false,
            again: None,
            now: None,
            watch: None,
            coming: None,
            pending: VecDeque::new(),
            script: None,
        }
    }

    /// The open target, or the error every command gives without one.
    pub fn process(&self) -> anyhow::Result<&Arc<Process>> {
        self.inferior.process()
    }

    /// CPython in the target, or why there is none.
    pub fn python(&self) -> anyhow::Result<&Arc<Python>> {
        self.inferior.python()
    }

    /// All objects of the target as a graph, made when it is first asked for.
    pub fn heap(&mut self) -> anyhow::Result<Arc<Heap>> {
        self.inferior.heap()
    }

    /// The partition that `heap` showed last of this target.
    pub fn browsing(&self) -> Option<&Browsing> {
        self.inferior.browsing()
    }

    /// All targets that are open, by number; the current one alone when nothing is.
    pub fn inferiors(&self) -> Vec<&Inferior> {
        let mut all: Vec<&Inferior> = self.others.iter().chain([&self.inferior]).collect();
        all.sort_by_key(|inferior| inferior.number);
        all
    }

    /// The same to change them, in no order.
    pub fn inferiors_mut(&mut self) -> impl Iterator<Item = &mut Inferior> {
        self.others.iter_mut().chain([&mut self.inferior])
    }

    /// Whether more than one target is open.
    pub fn has_family(&self) -> bool {
        !self.others.is_empty()
    }

    /// The number of the inferior that is this live process.
    pub fn inferior_of(&self, pid: i32) -> Option<usize> {
        let mut all = self.others.iter().chain([&self.inferior]);
        let inferior = all.find(|inferior| inferior.pid() == Some(pid))?;
        Some(inferior.number)
    }

    /// Makes an inferior the current one; whether there is one with this number.
    pub fn select_inferior(&mut self, number: usize) -> bool {
        let mut others = self.others.iter_mut();
        if let Some(other) = others.find(|inferior| inferior.number == number) {
            std::mem::swap(&mut self.inferior, other);
            self.others.sort_by_key(|inferior| inferior.number);
        }
        self.inferior.number == number
    }

    /// Leaves an inferior, whose process runs on; what was left, in gdb's words. Of several it is
    /// taken off the list, and if it was the current one, the first of those that remain becomes
    /// that.
    pub fn leave_inferior(&mut self, number: usize) -> Option<String> {
        let current = self.inferior.number;
        if !self.select_inferior(number) {
            return None;
        }
        let left = self.close();
        if !self.others.is_empty() {
            self.inferior = self.others.remove(0);
            self.select_inferior(current);
        }
        left
    }

    /// Replaces all targets by these, of which the first becomes the current one. Those that were
    /// open are left.
    pub fn replace_inferiors(&mut self, inferiors: Vec<Inferior>) {
        self.close_all();
        let mut inferiors = inferiors.into_iter();
        if let Some(first) = inferiors.next() {
            self.inferior = first;
            self.others = inferiors.collect();
        }
    }

    /// Leaves all targets: live processes run on.
    pub fn close_all(&mut self) {
        self.again = None;
        self.others.clear();
        self.inferior = Inferior::new(1);
    }
}
