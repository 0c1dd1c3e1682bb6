//! Writes the core of a live process, as Linux and gdb's gcore do, so that gdb, lldb, elfutils and
//! pystack read it too. The process stands still only while its registers and its memory are
//! copied: who it is and where the core goes is found out before, and what remains to be written
//! is written after it was let go.

mod before;
mod blocks;
mod copy;
mod error;
mod filter;
mod finish;
mod layout;
mod notes;
mod pack;
mod pass;
mod place;
mod plan;
mod ps_info;
mod snapshot;
mod space;
mod stage;
mod survey;

pub use error::DumpError;
pub use filter::Filter;
pub use pack::Packing;
pub use pass::{Blanked, Pass};
pub use snapshot::snapshot;
pub use survey::{Survey, Unneeded};

use crate::diag::{Cancel, Note, Notes, Progress, Step, Unit, human};
use crate::target::forked::{ForkProblem, Forked};
use crate::target::left_out;
use crate::target::live::{self, LiveHold};
use crate::target::proc_note::{self, Gathered};
use crate::target::{OpenError, Options, Target};
use before::Before;
use copy::Copier;
use finish::Core;
use layout::Layout;
use place::{Place, Unfinished};
use serde::Serialize;
use stage::Stage;
use std::path::PathBuf;
use std::time::Instant;

/// What kind of core is wanted, and where.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The file; `core.PID` in the current folder when not given.
    pub file: Option<PathBuf>,
    /// Replace a file that exists.
    pub force: bool,
    /// What goes into it; when not given, what the process asks for in its coredump_filter, and at
    /// least what Linux dumps by default.
    pub filter: Option<Filter>,
    /// How it is packed, if it is.
    pub packing: Option<Packing>,
    /// What tells what of it is not needed.
    pub survey: Option<Survey>,
    /// What is done with the file before anybody else sees it.
    pub pass: Option<Pass>,
    /// Have the process fork, and copy the memory of the copy while it runs on.
    pub fork: bool,
    /// Ends the work.
    pub cancel: Cancel,
    /// Hears how far it is.
    pub progress: Progress,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Saved {
    /// The file.
    #[serde(rename = "written")]
    pub file: PathBuf,
    /// The process, in pydbg's own PID namespace.
    pub pid: i32,
    /// The length of the file.
    pub bytes: u64,
    /// What it takes up: holes take nothing.
    pub on_disk: u64,
    /// How it is packed.
    pub packing: Option<Packing>,
    /// What went into it.
    pub filter: Filter,
    /// How many threads it has.
    pub threads: usize,
    /// How many bytes of memory were copied.
    pub copied: u64,
    /// How many bytes of it were left out, because analysis of Python does not need them.
    pub left_out: u64,
    /// What was blanked, if that was asked for.
    pub blanked: Option<Blanked>,
    /// how long the process stood still for it, in microseconds; null for one that was held
    /// before and after.
    pub pause_us: Option<u64>,
    /// How long all of it took, in microseconds.
    pub took_us: u64,
    /// What it lacks.
    #[serde(skip)]
    pub notes: Vec<Note>,
}

/// Writes the core of a process that runs: it is stopped for as long as copying takes.
pub fn process(pid: i32, options: &Options, request: &Request) -> Result<Saved, DumpError> {
    running(pid, request, || live::attach(pid, options))
}

/// Writes the core of the process of a live target: one that is held stays so, one that runs is
/// stopped for as long as copying takes.
pub fn target(target: &Target, request: &Request) -> Result<Saved, DumpError> {
    let live = target.live().ok_or(DumpError::NotStopped)?;
    if !live.is_stopped() {
        return running(live.pid(), request, || live.again());
    }
    let begun = Instant::now();
    if request.fork {
        return Err(DumpError::Held);
    }
    let work = Work::prepare(live.pid(), request)?;
    let out = work.place.begin()?;
    let core = work.take(out, target, live)?;
    core.finish(None, begun)
}

fn running(
    pid: i32,
    request: &Request,
    attach: impl FnOnce() -> Result<Target, OpenError>,
) -> Result<Saved, DumpError> {
    let begun = Instant::now();
    Work::prepare(pid, request)?.run(pid, begun, attach)
}

/// A core that is going to be written.
struct Work<'r> {
    request: &'r Request,
    before: Before,
    place: Place,
    stage: Stage,
}

impl<'r> Work<'r> {
    /// What can be done before the process is stopped, for a core that is to have a name.
    fn prepare(pid: i32, request: &'r Request) -> Result<Work<'r>, DumpError> {
        let mut before = Before::read(pid, request.filter)?;
        if request.pass.is_some() {
            ps_info::blank_arguments(&mut before.ps_info);
        }
        let packing = request.packing;
        let name = || format!("core.{pid}{}", packing.map_or("", Packing::suffix)).into();
        let path = request.file.clone().unwrap_or_else(name);
        let place = Place::new(&path, request.force)?;
        place.expect(before.estimate)?;
        Ok(Work::new(request, before, place))
    }

    fn new(request: &'r Request, before: Before, place: Place) -> Work<'r> {
        Work {
            request,
            stage: match request.fork {
                true => Stage::default(),
                false => Stage::new(before.estimate),
            },
            before,
            place,
        }
    }

    /// Stops the process, copies it and lets it run on.
    fn run(
        mut self,
        pid: i32,
        begun: Instant,
        attach: impl FnOnce() -> Result<Target, OpenError>,
    ) -> Result<Saved, DumpError> {
        self.before.hidden = Some(proc_note::Before::read(
            pid,
            std::mem::take(&mut self.before.smaps),
        ));
        let out = self.place.begin()?;
        if self.request.cancel.is_cancelled() {
            return Err(DumpError::Interrupted);
        }
        let target = attach()?;
        let live = target.live().filter(|live| live.is_stopped());
        let live = live.ok_or(DumpError::NotStopped)?;
        let core = self.take(out, &target, live);
        target.resume();
        let mut core = core?;
        core.notes.extend(target.notes.all());
        core.finish(Some(live.stopped_for()), begun)
    }

    /// Copies what only the stopped process has.
    fn take<'w>(
        &'w self,
        out: Unfinished<'w>,
        target: &Target,
        live: &LiveHold,
    ) -> Result<Core<'w>, DumpError> {
        let stopped = target
            .threads
            .iter()
            .any(|thread| thread.state == Some('T'));
        if self.request.fork && stopped {
            return Err(DumpError::Fork(live.pid(), ForkProblem::Stopped));
        }
        let sets = live.register_sets();
        let notes = notes::notes(target, &self.before, &sets, self.request.pass.is_some());
        // Reading pages of files brings them into RAM, and after a fork each page has two owners:
        // what /proc tells comes first.
        let mut gathered = Gathered::of(target, self.before.hidden.as_ref());
        let forked = self.request.fork.then(|| live.fork()).flatten();
        let forked = forked.transpose();
        let forked = forked.map_err(|problem| DumpError::Fork(live.pid(), problem))?;
        let reader = forked
            .as_ref()
            .map_or_else(|| live.reader(), Forked::reader);
        // A process that has forked runs on by now; of the others this is of the moment of the copy.
        if let Some(gathered) = &mut gathered {
            gathered.read_descriptors();
        }
        let space = space::read(target, reader, &self.before);
        let room = self.request.survey.map_or(0, |_| 2 * left_out::MOST as u64);
        let layout = Layout::new(space.segments, notes.bytes.len() as u64, room);
        out.set_len(layout.end())?;
        let what = format!("writing {}", self.place.path.display());
        let blocks = blocks::blocks(&layout, &space.files);
        let copier = Copier {
            stage: &self.stage,
            reader,
            out: &out,
            files: &space.files,
            cancel: &self.request.cancel,
            progress: &self.request.progress,
            what: &what,
            pid: live.pid(),
        };
        let unreadable = copier.copy(&blocks)?;
        let copied = layout.stored();
        let finished = Step {
            what: &what,
            done: copied,
            total: Some(copied),
            unit: Unit::Bytes,
        };
        self.request.progress.tell(&finished);
        let said = Notes::default();
        say(&said, unreadable, space.unseen, &notes.running);
        Ok(Core {
            work: self,
            out,
            layout,
            blocks,
            head: notes.bytes,
            gathered,
            options: Options {
                cancel: self.request.cancel.clone(),
                progress: self.request.progress.clone(),
                ..options_of(target)
            },
            copied: copied - unreadable.min(copied),
            threads: notes.threads,
            pid: live.pid(),
            notes: said.all(),
        })
    }
}

/// Where the files of the process are, for who opens its core.
fn options_of(target: &Target) -> Options {
    let options = target.files.options.clone();
    let root = target.files.root();
    Options {
        sysroot: options.sysroot.clone().or(root),
        ..options
    }
}

/// Says what the core lacks.
fn say(notes: &Notes, unreadable: u64, unseen: u64, running: &[i32]) {
    if unreadable > 0 {
        notes.info(format!(
            "{} could not be read, as the process itself could not, and are zeros in the core",
            human(unreadable)
        ));
    }
    if unseen > 0 {
        notes.partial(format!(
            "{} of shared memory that the process has not touched are zeros in the core: only \
             root may read them without touching them",
            human(unseen)
        ));
    }
    let count = running.len();
    if let Some(first) = running.first() {
        notes.partial(format!(
            "{count} threads that did not stop have only a part of their registers in the core \
             (LWP {first})"
        ));
    }
}
