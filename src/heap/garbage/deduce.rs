//! Which objects nothing outside leads to (Python/gc.c `deduce_unreachable`): the references among
//! the objects are taken off their counts; where some remain, someone outside holds the object, and
//! what it reaches is alive.

use crate::heap::counts::Counts;
use crate::heap::graph::{Csr, NodeSet, Stopped, Watch, reachable};

/// What was found.
pub(super) struct Deduced {
    /// The objects that only others of these hold.
    pub(super) unreachable: NodeSet,
    /// How many objects are referred to more often than they count, which cannot be; they are taken as alive.
    pub(super) contradictions: u64,
}

/// Finds out which of the objects that `belongs` says are held by nothing but each other. Of the
/// references only those of objects that `tells` says are taken off.
pub(super) fn unreachable(
    told: &Csr,
    counts: &Counts,
    belongs: impl Fn(u32) -> bool + Sync,
    tells: impl Fn(u32) -> bool,
    watch: &Watch<'_>,
) -> Result<Deduced, Stopped> {
    let nodes = told.nodes();
    let mut within = vec![0_u32; nodes as usize];
    for from in (0..nodes).filter(|from| belongs(*from) && tells(*from)) {
        for to in told.targets_of(from) {
            if let Some(count) = within.get_mut(*to as usize) {
                *count = count.saturating_add(1);
            }
        }
    }
    let left = |id: u32| {
        let within = within.get(id as usize).copied().unwrap_or(0);
        // What is never freed is held by someone.
        let count = counts.of(id).map_or(i64::MAX, i64::from);
        count.saturating_sub(within.into())
    };
    let mut contradictions = 0;
    let mut held = Vec::new();
    for id in (0..nodes).filter(|id| belongs(*id)) {
        match left(id) {
            0 => {}
            1.. => held.push(id),
            _ => {
                contradictions += 1;
                held.push(id);
            }
        }
    }
    let alive = reachable(told, held, watch)?;
    Ok(Deduced {
        unreachable: NodeSet::filled(nodes, |id| belongs(id) && !alive.contains(id)),
        contradictions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Cancel;
    use crate::heap::graph::Chunk;

    fn graph(rows: &[&[u32]]) -> Csr {
        let mut chunk = Chunk::new(0);
        for row in rows {
            row.iter().for_each(|to| chunk.edge(*to));
            chunk.close();
        }
        Csr::from_chunks(rows.len() as u64, vec![chunk]).unwrap()
    }

    fn found(told: &Csr, counts: &[u32], belongs: impl Fn(u32) -> bool + Sync) -> Vec<u32> {
        let cancel = Cancel::default();
        let watch = Watch::quiet(&cancel);
        let counts = Counts::from(counts.to_vec());
        let deduced = unreachable(told, &counts, belongs, |_| true, &watch).unwrap();
        deduced.unreachable.iter().collect()
    }

    #[test]
    fn what_only_cycles_hold_is_garbage() {
        // 0 and 1 hold each other, 2 hangs on them; 3 is held from outside and holds 4.
        let told = graph(&[&[1, 2], &[0], &[], &[4], &[3]]);
        assert_eq!(found(&told, &[1, 1, 1, 2, 1], |_| true), [0, 1, 2]);
        // Someone else holds 2, which holds nothing.
        assert_eq!(found(&told, &[1, 1, 2, 2, 1], |_| true), [0, 1]);
        // What does not belong keeps alive what it refers to.
        assert_eq!(found(&told, &[1, 1, 1, 2, 1], |id| id != 1), [0; 0]);
    }

    #[test]
    fn objects_that_count_too_little_are_alive() {
        let told = graph(&[&[1], &[0], &[1]]);
        assert_eq!(found(&told, &[1, 1, 1], |_| true), [0; 0]);
    }
}
