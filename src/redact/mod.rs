//! Takes the data out of a core that is being written: the contents of strings, their copies, what
//! was given back to allocators, arguments and environment. What is program text stays, so that
//! tracebacks read as before (see `names.rs`), and so do lengths, hashes, numbers and the shape of
//! everything. Data that C code of extensions keeps in memory of its own is not known, and stays.

mod blanks;
mod environment;
mod memory;
mod names;
mod texts;

use crate::heap::Heap;
use crate::heap::pieces::Pieces;
use crate::native::Process;
use crate::python::Python;
use crate::target::{Options, core};
use blanks::Blanks;
use environment::Environment;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// Blanks the data in a core file, which is whole and open for writing. An error says why that
/// cannot be done; the file may have been changed by then.
pub fn redact(file: &File, options: &Options) -> Result<(), String> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let target = core::open(&path, options).map_err(|error| error.to_string())?;
    let process = Arc::new(Process::new(Arc::new(target)));
    let python = Python::find(process).map_err(|error| error.to_string())?;
    let heap = Heap::of(&Arc::new(python)).map_err(|error| error.to_string())?;
    let target = &heap.python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let kept = names::kept(&heap);
    let environment = Environment::of(target);
    let mut blanks = Blanks::new(&heap.python.process);
    texts::blank(&heap, &pieces, &kept, &mut blanks);
    memory::blank(&heap, &pieces, &environment, &mut blanks);
    environment.blank(&mut blanks);
    memory::blank_stacks(&heap.python.process, &mut blanks);
    blanks.write(file).map_err(|error| error.to_string())
}
