//! Which memory of a core no analysis of Python needs: the insides of large buffers, of large blocks
//! that no object has, of shared memory, where nothing there looks like an address. The first and the last page of each
//! stay, with the headers of allocators.

mod buffers;
mod insides;
mod plain;

use crate::heap::Heap;
use crate::heap::pieces::Pieces;
use crate::native::Process;
use crate::python::Python;
use crate::target::{Options, core};
use insides::Insides;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

/// The memory of a core that is not needed, as whole pages by address and apart: the largest ranges,
/// where there are too many.
pub fn unneeded(file: &File, options: &Options) -> Result<Vec<Range<u64>>, String> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let target = core::open(&path, options).map_err(|error| error.to_string())?;
    let process = Arc::new(Process::new(Arc::new(target)));
    let python = Python::find(Arc::clone(&process)).map_err(|error| error.to_string())?;
    let heap = Heap::of(&Arc::new(python)).map_err(|error| error.to_string())?;
    let target = &process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let mut insides = Insides::new(&heap);
    buffers::find(&heap, &pieces, &mut insides);
    plain::blocks(&heap, &pieces, &mut insides);
    plain::shared(&process, &pieces, &mut insides);
    if process.cancel.is_cancelled() {
        return Err("interrupted".into());
    }
    Ok(insides.ranges())
}
