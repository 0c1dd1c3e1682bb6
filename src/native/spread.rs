//! The same work for each of many threads, on all processors.

use rayon::prelude::*;

/// Waking the other processors costs more than a few stacks do, and their idle spinning was seen
/// to lengthen the stop of a live process tenfold.
const FEW: usize = 64;

/// What `work` gives for each of `items`, in their order; by all processors when there are many.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    match items.len() {
        0..FEW => items.iter().map(work).collect(),
        _ => items.par_iter().map(work).collect(),
    }
}
