//! A second target of the same program beside the open one, for what compares two dumps.

use super::Session;
use super::line::path;
use anyhow::{Context, bail};
use pydbg::heap::Heap;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Origin};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Two dumps of a program.
pub struct Pair {
    /// The older one.
    pub old: Arc<Heap>,
    /// The newer one.
    pub new: Arc<Heap>,
    /// The names of both, the older one's first.
    pub names: [String; 2],
}

impl Session {
    /// The open target and another core, the older one first: a live process is newer than any core,
    /// of two cores it is the file written later; `reverse` turns that round.
    pub fn pair(&mut self, other: &Path, reverse: bool) -> anyhow::Result<Pair> {
        let origin = self.process()?.target.origin.clone();
        let (name, written) = match &origin {
            Origin::Live(pid) => (format!("process {pid}"), None),
            Origin::Core(core) => (core.display().to_string(), time(core)),
            Origin::Snapshot(taken) => {
                let since = Duration::from_micros(taken.taken_us);
                let name = format!("snapshot of process {}", taken.pid);
                (name, SystemTime::UNIX_EPOCH.checked_add(since))
            }
            Origin::Synthetic => ("this target".to_owned(), None),
        };
        let other = path(other);
        if matches!(&origin, Origin::Core(core) if *core == other) {
            bail!("{} is the core that is open", other.display());
        }
        let later = match written {
            Some(written) => time(&other).is_some_and(|other| other > written),
            None => false,
        };
        let theirs = self.other_heap(&other)?;
        let own = self.heap()?;
        let other = other.display().to_string();
        Ok(match later != reverse {
            true => Pair {
                old: own,
                new: theirs,
                names: [name, other],
            },
            false => Pair {
                old: theirs,
                new: own,
                names: [other, name],
            },
        })
    }

    /// The objects of another core.
    pub fn other_heap(&self, core: &Path) -> anyhow::Result<Arc<Heap>> {
        let target = target::core::open(core, &self.options)?;
        let process = Arc::new(Process::new(Arc::new(target)));
        let python = Python::find(process);
        let python = python.with_context(|| format!("{}", core.display()))?;
        Ok(Arc::new(Heap::of(&Arc::new(python))?))
    }
}

/// When a file was written.
fn time(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}
