//! A live target that the user has let run on: each command looks at it as it is then, and stops it
//! for no longer than it needs. Nothing of it can change without being seen, so what the command
//! before said is forgotten; only the selected thread stays.

use super::Session;
use super::call::Call;
use super::command::{Class, Needs};
use anyhow::bail;
use pydbg::target::live::LiveHold;
use pydbg::target::{Origin, Taken};
use std::time::Duration;

impl Session {
    /// The id of the live target, or gdb's words for what is none.
    pub fn running_pid(&self) -> anyhow::Result<i32> {
        match self.process()?.target.origin {
            Origin::Live(pid) => Ok(pid),
            Origin::Snapshot(Taken { pid, .. }) => bail!(
                "this is a snapshot of process {pid}, which was let go when it was taken; \
                 \"attach {pid}\" looks at the process itself"
            ),
            Origin::Core(_) | Origin::Synthetic => bail!("The program is not being run."),
        }
    }

    /// Whether the live target is there still.
    pub fn is_there(&self) -> bool {
        let process = self.inferior.process.as_ref();
        let live = process.and_then(|process| process.target.live());
        live.is_some_and(LiveHold::is_there)
    }

    /// Looks at the live target anew. It is held afterwards, unless the commands to come are known
    /// and allow otherwise.
    pub fn look_again(&mut self) -> anyhow::Result<()> {
        let pid = self.running_pid()?;
        if !self.is_there() {
            bail!("Process {pid} has ended.");
        }
        let process = self.process()?;
        let exe = process.target.files.options.exe.clone();
        let selected = self.inferior.thread;
        let of = |number: usize| process.threads().iter().find(|thread| thread.id == number);
        let tid = of(selected).map(|thread| thread.tid);
        let running = self.inferior.running;
        self.open_attach(pid, exe.as_deref())?;
        self.inferior.running = running;
        self.inferior.fresh = true;
        let mut threads = self.process()?.threads().iter();
        let same = threads.find(|thread| Some(thread.tid) == tid);
        self.inferior.thread = same.map_or(1, |thread| thread.id);
        Ok(())
    }

    /// Before a call that is about a target that runs on: looks at the process as it is now.
    pub fn look_if_running(&mut self, call: &Call) -> anyhow::Result<()> {
        let about_it =
            call.command.requires > Needs::Nothing && call.command.class != Class::Target;
        if about_it && self.inferior.running && !self.inferior.fresh {
            self.now.get_or_insert_with(|| call.text.clone());
            self.look_again()?;
            self.release_captured();
        }
        Ok(())
    }

    /// Lets the live target run on, to be looked at anew by each command; how long it was stopped
    /// before, if it was.
    pub fn let_run(&mut self) -> anyhow::Result<Option<Duration>> {
        self.running_pid()?;
        let Some(live) = self.process()?.target.live() else {
            bail!("The program is not being run.");
        };
        let held = live.is_stopped();
        live.resume();
        let stopped = held.then(|| live.stopped_for());
        self.inferior.running = true;
        self.inferior.released = true;
        Ok(stopped)
    }
}
