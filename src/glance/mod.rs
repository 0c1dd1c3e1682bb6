//! A quick look at a process that runs on: which CPython it is and, in a word or two, what keeps
//! it. It is read without a stop, so what is said of locks is said only when the threads that it
//! is about did not run meanwhile.

mod limit;
mod still;
mod verdict;

use crate::native::Process;
use crate::python::{Python, PythonError};
use crate::sync::Locks;
use crate::target::debuginfod::Servers;
use crate::target::processes::{Entry, Guess};
use crate::target::{OpenError, Options, live};
pub use limit::each;
use serde::Serialize;
use std::sync::Arc;
use still::Standstill;
pub use verdict::{Kind, Verdict};

/// What a look at a process that runs has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Glance {
    /// CPython's version; `None` when it is not known.
    pub version: Option<String>,
    /// What keeps it.
    pub verdict: Verdict,
}

impl Glance {
    /// One that failed.
    pub fn failed(why: impl Into<String>) -> Glance {
        Glance {
            version: None,
            verdict: Verdict::unknown(why),
        }
    }

    /// Looks at a process that stands still.
    pub fn at_rest(python: &Python) -> Glance {
        Glance {
            version: Some(python.version.to_string()),
            verdict: Verdict::at_rest(python),
        }
    }

    /// Looks at a process; `None` when it turns out not to run Python. `options` say where its
    /// files are; nothing is fetched from other machines.
    pub fn of(entry: &Entry, guess: &Guess, options: &Options) -> Option<Glance> {
        match guess {
            Guess::Other | Guess::Hidden { named: false } => return None,
            Guess::Python | Guess::Embeds | Guess::Hidden { named: true } => {}
        }
        let options = Options {
            no_stop: true,
            debuginfod: Servers::default(),
            ..options.clone()
        };
        let python = match look(entry.pid, &options) {
            Ok(python) => python,
            Err(Blind::NoPython) if *guess == Guess::Embeds => return None,
            Err(Blind::NoPython) => return Some(Glance::failed("no CPython found in it")),
            Err(Blind::Because(why)) => return Some(Glance::failed(why)),
        };
        let locks = Locks::at_once(&python);
        let verdict = match entry.stat.state {
            'T' => Verdict::plain(Kind::Stopped, "stopped"),
            't' => Verdict::plain(Kind::Stopped, "traced"),
            _ if Verdict::accuses(&locks) => proved(entry.pid, &options, &python, &locks),
            _ => Verdict::of(&python, &locks),
        };
        Some(Glance {
            version: Some(python.version.to_string()),
            verdict,
        })
    }
}

/// Why nothing was seen.
enum Blind {
    NoPython,
    Because(String),
}

/// CPython in a process that runs.
fn look(pid: i32, options: &Options) -> Result<Python, Blind> {
    let target = live::rehearse(pid, options).map_err(|error| match error {
        OpenError::Attach { why, .. } => Blind::Because(why),
        other => Blind::Because(other.to_string()),
    })?;
    let process = Arc::new(Process::new(Arc::new(target)));
    Python::find(process).map_err(|error| match error {
        PythonError::NotFound(_) => Blind::NoPython,
        other => Blind::Because(other.to_string()),
    })
}

/// The verdict on a process in which threads seem to wait for each other, or for what nobody
/// can do: a second look shows whether they have stood still all the time. If they run, it was
/// torn.
fn proved(pid: i32, options: &Options, python: &Python, locks: &Locks) -> Verdict {
    let before = Standstill::of(pid);
    let Ok(again) = look(pid, options) else {
        return Verdict::of(python, locks);
    };
    let locks = Locks::at_once(&again);
    let still = before.and_still(&Standstill::of(pid));
    let stood = |tid| still.holds(tid);
    Verdict::accused(&again, &locks, stood).unwrap_or_else(|| Verdict::of(&again, &locks))
}
