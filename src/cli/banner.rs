//! What is said when a target is opened: gdb's sentences first, then what a Python user wants to
//! know before anything else.

use super::render::locks::{threads as name, waiting};
use super::render::row::Row;
use super::render::stack::Stack;
use super::render::{crash, frame};
use super::{Out, Report, Session, Style};
use pydbg::Addr;
use pydbg::calendar;
use pydbg::diag::{Note, counted};
use pydbg::native::Process;
use pydbg::native::crash::codes::cause;
use pydbg::python::value::Limits;
use pydbg::python::{GilState, Python};
use pydbg::sync::Locks;
use pydbg::target::live::LiveHold;
use pydbg::target::{Origin, ProcessInfo, SignalInfo, Taken, build_id_in_memory, signal};
use serde::Serialize;
use std::fmt::Write;
use std::io;

/// At most this many missing files are named.
const MOST_FILES: usize = 10;

/// What is said when a target is opened.
#[derive(Serialize)]
pub struct Banner {
    /// The command line, as far as it is known.
    command_line: Option<String>,
    /// The PID of a live process.
    pid: Option<i32>,
    /// Of which process it is a copy, and when that was made.
    snapshot: Option<Taken>,
    /// Whether a live process is stopped now.
    stopped: bool,
    /// How long a live process was stopped, in microseconds, if it runs on by now.
    pause_us: Option<u64>,
    /// What it died of.
    signal: Option<Signal>,
    /// The Python version, such as `3.11.7`.
    version: Option<String>,
    /// Version, build and where it was found, in words; or why no Python was found.
    python: String,
    /// How many kernel threads there are.
    threads: usize,
    /// Who holds the GIL, in words, for each GIL.
    gil: Vec<String>,
    /// The exception that the thread which died raised or handled, in words.
    exception: Option<String>,
    /// The threads of each deadlock; left out for a process that runs on, as is what follows.
    deadlocks: Vec<Vec<usize>>,
    /// The threads that wait for each lock that nobody can release.
    orphaned: Vec<Vec<usize>>,
    /// The threads that wait for each thing that nobody is left to do.
    lost: Vec<Vec<usize>>,
    /// Files that are missing or differ, and what that costs.
    missing_files: Vec<MissingFile>,
    /// The thread that is selected.
    current: Option<Current>,
    /// Its innermost frame.
    #[serde(skip)]
    frame: Vec<Row>,
}

/// What a process died of.
#[derive(Serialize)]
struct Signal {
    name: String,
    description: &'static str,
    number: i32,
    code: Option<i32>,
    /// Where it came from, in words.
    cause: Option<String>,
    fault: Option<Addr>,
    /// What it means, where a person is to see it at once; `signal` has the evidence.
    meaning: Option<String>,
}

/// A file that cannot be used.
#[derive(Serialize)]
struct MissingFile {
    path: String,
    problem: String,
    costs: String,
}

/// The thread that is selected.
#[derive(Serialize)]
struct Current {
    id: usize,
    tid: i32,
    pthread: Option<Addr>,
}

impl Banner {
    /// The banner of the target that is open.
    pub fn of(session: &Session) -> anyhow::Result<Banner> {
        let process = session.process()?;
        let target = &process.target;
        let (pid, snapshot) = match target.origin {
            Origin::Live(pid) => (Some(pid), None),
            Origin::Snapshot(taken) => (None, Some(taken)),
            Origin::Core(_) | Origin::Synthetic => (None, None),
        };
        let python = session.python();
        let found = python.as_ref().ok();
        let current = process.threads().first();
        // The native stack may need files that are missing. That is no matter for a batch that
        // asks for Python stacks, so only a person sees the frame at once, as with gdb.
        let stack = (session.interactive && !session.json)
            .then(|| Stack::of(session, current?.id).ok())
            .flatten();
        let crash = match session.interactive && !session.json {
            true => crash::crash(session)?,
            false => None,
        };
        // Of a process that runs on, the values of frames were not captured.
        let still = target.live().is_none_or(LiveHold::is_stopped);
        let locks = found.filter(|_| still).map(|python| Locks::at_once(python));
        let locks = locks.unwrap_or_default();
        let waiter = |at: &usize| locks.waits.get(*at).map(|wait| wait.thread);
        let waiters = |at: &usize| {
            locks
                .all
                .get(*at)
                .map_or_else(Vec::new, |l| l.waiters.clone())
        };
        Ok(Banner {
            command_line: command_line(&target.process),
            pid,
            snapshot,
            stopped: target.live().is_some_and(LiveHold::is_stopped),
            pause_us: (target.live())
                .filter(|live| !live.is_stopped())
                .map(|live| live.stopped_for())
                .filter(|pause| !pause.is_zero())
                .map(|pause| u64::try_from(pause.as_micros()).unwrap_or(u64::MAX)),
            signal: (target.signal.as_ref()).map(|info| Signal {
                meaning: crash.map(|crash| crash.meaning.text),
                ..Signal::of(info, target.process.pid)
            }),
            version: found.map(|python| number(python)),
            python: match &python {
                Ok(python) => in_words(python),
                Err(why) => format!("{why:#}"),
            },
            threads: target.threads.len(),
            gil: found
                .map(|python| gils(process, python))
                .unwrap_or_default(),
            deadlocks: (locks.deadlocks.iter())
                .map(|deadlock| deadlock.waits.iter().filter_map(waiter).collect())
                .collect(),
            orphaned: locks.orphaned.iter().map(waiters).collect(),
            lost: locks.lost.iter().map(|lost| waiters(&lost.lock)).collect(),
            exception: (target.signal.as_ref()).and_then(|_| exception_in_flight(process, found?)),
            missing_files: missing_files(process, found.map(|python| &***python)),
            current: current.map(|thread| Current {
                id: thread.id,
                tid: thread.tid,
                pthread: thread.pthread,
            }),
            frame: stack
                .map(|stack| stack.rows_with_source(0))
                .unwrap_or_default(),
        })
    }
}

impl Banner {
    /// What hangs the program, as `locks` tells at length.
    fn verdicts(&self, out: &mut Out<'_>) -> io::Result<()> {
        let deadlocks = self
            .deadlocks
            .iter()
            .map(|threads| match threads.as_slice() {
                [one] => format!("Deadlock: thread {one} waits for itself"),
                several => format!("Deadlock: {} wait for each other", name(several)),
            });
        let orphaned = self.orphaned.iter().map(|threads| {
            format!(
                "Orphaned lock: {} for a lock that nobody can release",
                waiting(threads)
            )
        });
        let lost = self.lost.iter().map(|threads| {
            format!(
                "Lost wakeup: {} for what nobody is left to do",
                waiting(threads)
            )
        });
        for text in deadlocks.chain(orphaned).chain(lost) {
            out.styled(Style::Strong, &format!("{text}; see \"locks\"."))?;
            out.end()?;
        }
        Ok(())
    }
}

impl Report for Banner {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        match (self.pid, &self.command_line) {
            (Some(pid), line) => {
                out.put(format_args!("Attached to process {pid}"))?;
                if let Some(line) = line {
                    out.target(&format!(", `{line}'"))?;
                }
                match (self.stopped, self.pause_us) {
                    (true, _) => {
                        out.put(format_args!("; it is stopped until you detach or quit.\n"))?
                    }
                    (false, Some(pause)) => out.put(format_args!(
                        "; it was stopped for {:.1} ms and runs on.\n",
                        pause as f64 / 1000.0
                    ))?,
                    (false, None) => out.put(format_args!("; it runs on while it is read.\n"))?,
                }
            }
            (None, line) if self.snapshot.is_some() => self.snapshot_text(out, line.as_deref())?,
            (None, Some(line)) => {
                out.target(&format!("Core was generated by `{line}'."))?;
                out.end()?;
            }
            (None, None) => {}
        }
        self.signal_text(out)?;
        out.target(&self.python)?;
        out.put(format_args!(".\n{}", counted(self.threads, "thread")))?;
        for gil in &self.gil {
            out.target(&format!("; {gil}"))?;
        }
        out.put(format_args!(".\n"))?;
        if let Some(exception) = &self.exception {
            out.target(exception)?;
            out.end()?;
        }
        self.verdicts(out)?;
        for file in self.missing_files.iter().take(MOST_FILES) {
            let text = format!("warning: {}: {}: {}.", file.path, file.problem, file.costs);
            out.styled(Style::Faint, &text)?;
            out.end()?;
        }
        if self.missing_files.len() > MOST_FILES {
            let more = self.missing_files.len() - MOST_FILES;
            let text =
                format!("warning: {more} more files cannot be used; see info sharedlibrary.");
            out.styled(Style::Faint, &text)?;
            out.end()?;
        }
        for row in &self.frame {
            frame::line(out, row)?;
            frame::source(out, row)?;
        }
        if let Some(current) = &self.current {
            out.put(format_args!("[Current thread is {} (", current.id))?;
            if let Some(pthread) = current.pthread {
                out.put(format_args!("Thread {pthread} "))?;
            }
            out.put(format_args!("(LWP {}))]\n", current.tid))?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn covers(&self, note: &Note) -> bool {
        (self.missing_files.iter().take(MOST_FILES)).any(|file| note.text.contains(&file.path))
    }
}

impl Banner {
    /// `Snapshot of process 12, `python x.py', taken at …; it stood still for 12.3 ms and ran on.`
    fn snapshot_text(&self, out: &mut Out<'_>, line: Option<&str>) -> io::Result<()> {
        let Some(taken) = &self.snapshot else {
            return Ok(());
        };
        out.put(format_args!("Snapshot of process {}", taken.pid))?;
        if let Some(line) = line {
            out.target(&format!(", `{line}'"))?;
        }
        out.put(format_args!(", {}.\n", when(taken)))
    }

    fn signal_text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let Some(signal) = &self.signal else {
            if self.pid.is_none() && self.snapshot.is_none() {
                out.put(format_args!(
                    "No signal: the core was written while the process was running.\n"
                ))?;
            }
            return Ok(());
        };
        out.put(format_args!("Program terminated with signal "))?;
        out.styled(Style::Strong, &signal.name)?;
        out.put(format_args!(", {}.\n", signal.description))?;
        match (signal.fault, &signal.cause) {
            (Some(fault), cause) => {
                let null = if fault.is_null() { " (NULL)" } else { "" };
                out.put(format_args!("Fault address {fault}{null}"))?;
                match cause {
                    Some(cause) => out.put(format_args!(": {cause}.\n")),
                    None => out.put(format_args!(".\n")),
                }
            }
            (None, Some(cause)) => out.put(format_args!("Cause: {cause}.\n")),
            (None, None) => Ok(()),
        }?;
        if let Some(meaning) = &signal.meaning {
            out.put(format_args!("Meaning: "))?;
            out.target(meaning)?;
            out.put(format_args!(". See \"signal\".\n"))?;
        }
        Ok(())
    }
}

impl Signal {
    fn of(info: &SignalInfo, pid: i32) -> Signal {
        Signal {
            name: info.name(),
            description: signal::description(info.signo),
            number: info.signo,
            code: info.code,
            cause: cause(info, pid),
            fault: info.fault,
            meaning: None,
        }
    }
}

/// `taken at 2026-11-21 20:05:17 UTC; it stood still for 12.3 ms and ran on`.
pub fn when(taken: &Taken) -> String {
    let at = calendar::utc(taken.taken_us / 1_000_000);
    let pause = taken.pause_us as f64 / 1000.0;
    format!("taken at {at}; it stood still for {pause:.1} ms and ran on")
}

fn command_line(process: &ProcessInfo) -> Option<String> {
    if !process.args.is_empty() {
        return Some(process.args.join(" "));
    }
    process.exe.clone().or(process.comm.clone())
}

/// `3.11.7`, or `3.11` when the micro version is not known.
fn number(python: &Python) -> String {
    let version = &python.version;
    let mut text = format!("{}.{}", version.major, version.minor);
    if let Some(micro) = version.micro {
        _ = write!(text, ".{micro}");
    }
    text
}

fn in_words(python: &Python) -> String {
    let mut text = format!("CPython {}", number(python));
    if python.version.free_threaded {
        text.push_str(" free-threaded");
    }
    if python.version.debug == Some(true) {
        text.push_str(" debug build");
    }
    let source = &python.runtime.source;
    match &python.runtime.image {
        Some(image) if !source.contains(image) => _ = write!(text, " in {image}, {source}"),
        Some(_) | None => _ = write!(text, ", {source}"),
    }
    text
}

/// Who holds each GIL.
fn gils(process: &Process, python: &Python) -> Vec<String> {
    let several = python.interpreters.len() > 1;
    python
        .interpreters
        .iter()
        .map(|interpreter| {
            let whose = match several {
                true => format!("the GIL of interpreter {}", interpreter.id),
                false => "the GIL".to_owned(),
            };
            match &interpreter.gil {
                GilState::Free => format!("nobody holds {whose}"),
                GilState::Disabled => format!("{whose} is disabled"),
                GilState::Unknown(why) => format!("it is not known who holds {whose}: {why}"),
                GilState::Held { tstate, .. } => {
                    format!("{} holds {whose}", holder(process, python, *tstate))
                }
            }
        })
        .collect()
}

/// `thread 3 "worker" (LWP 42)`.
fn holder(process: &Process, python: &Python, tstate: Addr) -> String {
    let thread = (python.interpreters.iter())
        .flat_map(|interpreter| &interpreter.threads)
        .find(|thread| thread.tstate == tstate);
    let Some(thread) = thread else {
        return format!("a thread state that is in no list ({tstate})");
    };
    let native = (process.threads().iter()).find(|native| Some(native.tid) == thread.tid);
    let mut text = match native {
        Some(native) => format!("thread {}", native.id),
        None => format!("the Python thread state {tstate}"),
    };
    if let Some(name) = &thread.name {
        _ = write!(text, " \"{name}\"");
    }
    if let Some(tid) = thread.tid {
        _ = write!(text, " (LWP {tid})");
    }
    text
}

/// `handling ValueError('boom on order 3') in thread 1`, of the thread that died.
fn exception_in_flight(process: &Process, python: &Python) -> Option<String> {
    const LIMITS: Limits = Limits {
        elements: 100,
        depth: 3,
        total: 200,
        attributes: false,
    };
    let thread = process.threads().first()?;
    let state = python.thread_of(thread.tid)?;
    let (address, is_raised) = python.exception_in_flight(state)?;
    let doing = if is_raised { "raising" } else { "handling" };
    let shown = python.objects.show(address, LIMITS).text;
    Some(format!("{doing} {shown} in thread {}", thread.id))
}

/// The mapped files that cannot be used. Asking for them here notes nothing: whether a missing
/// file makes an answer partial is for that answer to say.
fn missing_files(process: &Process, python: Option<&Python>) -> Vec<MissingFile> {
    let target = &process.target;
    // Those that are not here are fetched when they are needed, and missed only then.
    if !target.files.options.debuginfod.urls.is_empty() {
        return Vec::new();
    }
    (process.images.all.iter())
        .filter(|image| image.path.starts_with('/'))
        .filter_map(|image| {
            let build_id = build_id_in_memory(&*target.memory, image.start);
            let opened = target.files.open_here(&image.path, build_id.as_deref());
            Some(MissingFile {
                path: image.path.clone(),
                problem: opened.err()?.to_string(),
                costs: costs(image.name(), python),
            })
        })
        .collect()
}

/// What it costs that a file is missing.
fn costs(name: &str, python: Option<&Python>) -> String {
    let stacks = match python {
        Some(_) if name.contains("python") => "Python was found without it",
        Some(_) => "Python stacks are not affected",
        None if name.contains("python") => "give it with --exe or --sysroot to find Python",
        None => "it is not a part of Python",
    };
    format!("no symbols or native line numbers for it; {stacks}")
}
