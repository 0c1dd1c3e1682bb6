//! Which memory of a core no analysis of Python needs: the insides of large buffers, of large blocks
//! that no object has, of shared memory, where nothing there looks like an address. The first and the
//! last page of each stay, with the headers of allocators.

mod buffers;
mod insides;
mod plain;

use crate::heap::Heap;
use crate::heap::pieces::Pieces;
use crate::target::Options;
use insides::Insides;
use std::fs::File;
use std::ops::Range;

/// The memory of a core that is not needed, as whole pages by address and apart: the largest ranges,
/// where there are too many.
pub fn unneeded(file: &File, options: &Options) -> Result<Vec<Range<u64>>, String> {
    let heap = Heap::of_core(file, options)?;
    let process = &heap.python.process;
    let target = &process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let mut insides = Insides::new(&heap);
    buffers::find(&heap, &pieces, &mut insides);
    plain::blocks(&heap, &pieces, &mut insides);
    plain::shared(process, &pieces, &mut insides);
    if process.cancel.is_cancelled() {
        return Err("interrupted".into());
    }
    Ok(insides.ranges())
}
