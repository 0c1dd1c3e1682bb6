//! A snapshot: the core of a live process in a file that has no name, opened as soon as it is
//! written, while the process runs on. The file is in memory unless that is short, and gone when
//! pydbg ends, however it ends.

use super::before::Before;
use super::place::Place;
use super::{DumpError, Request, Work};
use crate::diag::Notes;
use crate::target::core::{self, Copied};
use crate::target::files::Files;
use crate::target::free_memory::free_memory;
use crate::target::scratch::Scratch;
use crate::target::{Options, Target, live};
use std::path::PathBuf;
use std::time::Instant;

/// Stops a process for as long as it takes to copy what its core has (with `fork`, to fork), lets it
/// run on and opens the copy. What /proc told of it in that stop is in the copy too.
pub fn snapshot(pid: i32, options: &Options, fork: bool) -> Result<Target, DumpError> {
    taken(pid, options, fork, free_memory().unwrap_or(0))
}

/// The same with so many bytes of memory that are free.
fn taken(pid: i32, options: &Options, fork: bool, free: u64) -> Result<Target, DumpError> {
    if options.no_stop {
        return Err(DumpError::NotStopped);
    }
    let begun = Instant::now();
    let request = Request {
        fork,
        cancel: options.cancel.clone(),
        progress: options.progress.clone(),
        ..Request::default()
    };
    let before = Before::read(pid, None)?;
    let name = PathBuf::from(format!("a snapshot of process {pid}"));
    let cannot = |why: String| DumpError::Place(name.clone(), why);
    let wanted = options.scratch.as_deref();
    let scratch = Scratch::for_copy(before.estimate, free, wanted).map_err(cannot)?;
    let file = scratch.file.try_clone();
    let file = file.map_err(|error| cannot(error.to_string()))?;
    let notes = Notes::default();
    let mut files = Files::default();
    let attach = || {
        let target = live::attach(pid, options)?;
        files = target.files.of_copy(&notes);
        Ok(target)
    };
    let work = Work::new(&request, before, Place::nameless(file, name.clone()));
    let saved = work.run(pid, begun, attach)?;
    let copied = Copied {
        file: &scratch.file,
        pid: saved.pid,
        pause_us: saved.pause_us.unwrap_or_default(),
        files,
        notes: notes.clone(),
    };
    scratch.say(&notes);
    saved.notes.into_iter().for_each(|note| notes.add(note));
    Ok(core::open_copied(copied)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Origin;
    use std::process::{Child, Command, Stdio};

    struct Sleeper(Child);

    impl Sleeper {
        fn start() -> Sleeper {
            let mut command = Command::new("sleep");
            Sleeper(command.arg("60").stdin(Stdio::null()).spawn().unwrap())
        }

        fn end(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Takes a snapshot of a process, which then ends.
    fn of_an_ended_process(free: u64) -> Result<Target, DumpError> {
        let mut sleeper = Sleeper::start();
        let pid = sleeper.0.id() as i32;
        let target = taken(pid, &Options::default(), false, free)?;
        sleeper.end();
        assert!(matches!(target.origin, Origin::Snapshot(taken) if taken.pid == pid));
        assert!(target.live().is_none() && target.kept.is_some());
        let sp = target.threads[0].registers.unwrap().sp().unwrap();
        target.memory.u64(sp).unwrap();
        Ok(target)
    }

    #[test]
    fn it_outlives_the_process() {
        of_an_ended_process(u64::MAX).unwrap();
    }

    #[test]
    fn it_is_on_disk_where_memory_is_short() {
        match of_an_ended_process(0) {
            Ok(target) => {
                let notes = target.notes.all();
                let told = notes
                    .iter()
                    .any(|note| note.text.contains("memory is short"));
                assert!(told, "{notes:?}");
            }
            // No folder for temporary files is on a disk here.
            Err(error) => assert!(error.to_string().contains("are needed"), "{error}"),
        }
    }

    #[test]
    fn what_is_refused_leaves_the_process_alone() {
        let sleeper = Sleeper::start();
        let pid = sleeper.0.id() as i32;
        let options = Options::default();
        let running = Options {
            no_stop: true,
            ..options.clone()
        };
        assert!(matches!(
            taken(pid, &running, false, u64::MAX),
            Err(DumpError::NotStopped)
        ));
        options.cancel.cancel();
        assert!(matches!(
            taken(pid, &options, false, u64::MAX),
            Err(DumpError::Interrupted)
        ));
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("TracerPid:\t0\n"), "{status}");
    }
}
