//! Native activations of the evaluation loop in 3.10 and 3.11: each keeps a `_PyCFrame` on the C
//! stack (Include/cpython/pystate.h), linked from the thread state outwards to one that is
//! embedded there and belongs to no activation.

use super::Marker;
use super::object::Objects;
use crate::addr::Addr;
use rustc_hash::FxHashSet;

/// More activations than this do not fit on a C stack.
const MOST: usize = 1 << 20;

/// One `_PyCFrame`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CFrame {
    addr: Addr,
    /// The innermost frame that the activation runs (3.11).
    current: Option<Addr>,
}

/// The `_PyCFrame` of each activation of a thread, innermost first.
pub(super) fn read_cframes(objects: &Objects, tstate: Addr) -> Result<Vec<CFrame>, String> {
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
        let current = cframe
            .current_frame
            .and_then(|f| objects.memory.ptr(f.of(at)).ok());
        all.push(CFrame { addr: at, current });
        at = objects.memory.ptr(cframe.previous.of(at)).map_err(failed)?;
    }
    Ok(all)
}

/// 3.11: puts a marker at the end of each activation, which is where the innermost frame of the
/// next one begins. `links` are all frames of the chain, each with the number of frames inner to
/// it that are shown; `total` is the number of all that are. `None` where the two chains do not
/// fit.
pub(super) fn split(
    cframes: &[CFrame],
    links: &[(Addr, usize)],
    total: usize,
) -> Option<Vec<Marker>> {
    let mut links = links.iter();
    let mut markers = Vec::with_capacity(cframes.len());
    for (index, cframe) in cframes.iter().enumerate() {
        let frames = match cframes.get(index + 1) {
            None => total,
            Some(outer) => {
                let begin = outer.current?;
                links.find(|(addr, _)| *addr == begin)?.1
            }
        };
        markers.push(Marker {
            addr: cframe.addr,
            frames,
        });
    }
    Some(markers)
}

/// 3.10, and 3.11 where the chains do not fit: puts a marker at the end of each activation. `ends`
/// are the numbers of frames inner to the end of each. The innermost activation may just begin or end, so the two lists are aligned at the
/// outermost: an activation without a frame yet has none, a frame without an activation any more
/// belongs to the next one.
pub(super) fn pair(cframes: &[CFrame], ends: &[usize]) -> Vec<Marker> {
    let beginning = cframes.len().saturating_sub(ends.len());
    let ending = ends.len().saturating_sub(cframes.len());
    let frames = std::iter::repeat_n(0, beginning).chain(ends.iter().copied().skip(ending));
    cframes
        .iter()
        .zip(frames)
        .map(|(cframe, frames)| Marker {
            addr: cframe.addr,
            frames,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cframes(current: &[u64]) -> Vec<CFrame> {
        let cframe = |current: &u64| CFrame {
            addr: Addr(1),
            current: Some(Addr(*current)),
        };
        current.iter().map(cframe).collect()
    }

    #[test]
    fn an_activation_ends_where_the_next_one_begins() {
        let links = [(Addr(10), 0), (Addr(11), 1), (Addr(12), 1), (Addr(13), 2)];
        let frames = |current: &[u64]| {
            let markers = split(&cframes(current), &links, 3)?;
            Some(
                markers
                    .iter()
                    .map(|marker| marker.frames)
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(frames(&[10, 11, 13]), Some(vec![1, 2, 3]));
        assert_eq!(frames(&[10]), Some(vec![3]));
        assert_eq!(frames(&[]), Some(vec![]));
        assert_eq!(frames(&[10, 99]), None, "no frame of the chain");
        assert_eq!(frames(&[10, 13, 11]), None, "out of order");
    }

    fn counts(count: usize, ends: &[usize]) -> Vec<usize> {
        let cframes = cframes(&vec![0; count]);
        pair(&cframes, ends)
            .iter()
            .map(|marker| marker.frames)
            .collect()
    }

    #[test]
    fn activations_are_aligned_at_the_outermost() {
        assert_eq!(counts(3, &[1, 4, 6]), [1, 4, 6]);
        assert_eq!(
            counts(3, &[4, 6]),
            [0, 4, 6],
            "the innermost has no frame yet"
        );
        assert_eq!(
            counts(2, &[1, 4, 6]),
            [4, 6],
            "the innermost is gone already"
        );
        assert_eq!(counts(0, &[1]), Vec::<usize>::new());
    }
}
