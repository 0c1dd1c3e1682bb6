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
    let free = free_memory().unwrap_or(0);
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
