//! Native activations of the evaluation loop in 3.10 and 3.11: each keeps a `_PyCFrame` on the C
//! stack (Include/cpython/pystate.h), linked from the thread state outwards to one that is
//! embedded there and belongs to no activation.

use super::Marker;
use super::object::Objects;
use crate::addr::Addr;
use rustc_hash::FxHashSet;

/// More activations than this do not fit on a C stack.
const MOST: usize = 1 << 20;

/// The `_PyCFrame` of each activation of a thread, innermost first.
pub(super) fn read_cframes(objects: &Objects, tstate: Addr) -> Result<Vec<Addr>, String> {
    let fields = &objects.layout.fields;
    let (Some(first), Some(cframe)) = (fields.thread.cframe, fields.cframe) else {
        return Ok(Vec::new());
    };
    let root = fields.thread.root_cframe.map(|field| field.of(tstate));
    let failed = |fault| format!("the chain of C frames: {fault}");
    let mut all = Vec::new();
    let mut seen = FxHashSet::default();
    let mut at = objects.memory.ptr(first.of(tstate)).map_err(failed)?;
    while !at.is_null() && Some(at) != root {
        if all.len() == MOST || !seen.insert(at) {
            return Err(format!("the chain of C frames comes back to {at}"));
        }
        all.push(at);
        at = objects.memory.ptr(cframe.previous.of(at)).map_err(failed)?;
    }
    Ok(all)
}

/// Puts a marker at the end of each activation. `ends` are the numbers of frames inner to the end
/// of each. The innermost activation may just begin or end, so the two lists are aligned at the
/// outermost: an activation without a frame yet has none, a frame without an activation any more
/// belongs to the next one.
pub(super) fn pair(cframes: &[Addr], ends: &[usize]) -> Vec<Marker> {
    let beginning = cframes.len().saturating_sub(ends.len());
    let ending = ends.len().saturating_sub(cframes.len());
    let frames = std::iter::repeat_n(0, beginning).chain(ends.iter().copied().skip(ending));
    cframes
        .iter()
        .zip(frames)
        .map(|(addr, frames)| Marker {
            addr: *addr,
            frames,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cframes: usize, ends: &[usize]) -> Vec<usize> {
        let cframes: Vec<Addr> = (1..=cframes as u64).map(Addr).collect();
        pair(&cframes, ends).iter().map(|marker| marker.frames).collect()
    }

    #[test]
    fn activations_are_aligned_at_the_outermost() {
        assert_eq!(counts(3, &[1, 4, 6]), [1, 4, 6]);
        assert_eq!(counts(3, &[4, 6]), [0, 4, 6], "the innermost has no frame yet");
        assert_eq!(counts(2, &[1, 4, 6]), [4, 6], "the innermost is gone already");
        assert_eq!(counts(0, &[1]), Vec::<usize>::new());
    }
}
