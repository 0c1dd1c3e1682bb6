//! The cycles that garbage is made of: its strongly connected components. What is in none of them hangs
//! on one, or on several.

use super::hanging::{NOBODY, merged};
use crate::heap::graph::{Csr, NodeSet, Stopped, Watch, components};

/// The cycles of garbage.
pub(super) struct Cycles {
    /// By id the cycle that an object is of or hangs on.
    pub(super) groups: Vec<u32>,
    /// The members of all cycles, one after the other.
    members: Vec<u32>,
    /// Where the members of each cycle begin, and behind the last one.
    starts: Vec<u32>,
}

impl Cycles {
    /// Finds the cycles among these objects.
    pub(super) fn of(
        told: &Csr,
        unreachable: &NodeSet,
        watch: &Watch<'_>,
    ) -> Result<Cycles, Stopped> {
        let mut cycles = Cycles {
            groups: vec![NOBODY; told.nodes() as usize],
            members: Vec::new(),
            starts: vec![0],
        };
        if unreachable.is_empty() {
            return Ok(cycles);
        }
        let found = components(told, |id| unreachable.contains(id), watch)?;
        let number = |id: u32| found.of(id).unwrap_or(u32::MAX);
        let mut ids: Vec<u32> = unreachable.iter().collect();
        // What refers to others comes before them.
        ids.sort_by_key(|id| (std::cmp::Reverse(number(*id)), *id));
        for component in ids.chunk_by(|a, b| number(*a) == number(*b)) {
            let is_cycle = match component {
                [one] => told.targets_of(*one).contains(one),
                _ => true,
            };
            let number = cycles.count();
            for id in component {
                let own = cycles.groups.get_mut(*id as usize);
                let Some(own) = own else { continue };
                if is_cycle {
                    *own = number;
                    cycles.members.push(*id);
                }
                let group = *own;
                // A cycle that another one refers to is told of as one of its own.
                for to in told
                    .targets_of(*id)
                    .iter()
                    .filter(|to| unreachable.contains(**to))
                {
                    if let Some(entry) = cycles.groups.get_mut(*to as usize) {
                        *entry = merged(*entry, group);
                    }
                }
            }
            if is_cycle {
                for id in component {
                    if let Some(entry) = cycles.groups.get_mut(*id as usize) {
                        *entry = number;
                    }
                }
                cycles.starts.push(cycles.members.len() as u32);
            }
        }
        Ok(cycles)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        (self.starts.len() - 1) as u32
    }

    /// The objects of one.
    pub(super) fn members(&self, number: u32) -> &[u32] {
        let at = number as usize;
        match self.starts.get(at..at.saturating_add(2)) {
            Some(&[start, end]) => {
                let range = start as usize..end as usize;
                self.members.get(range).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// The cycle that an object is of or hangs on; [`NOBODY`] and [`super::hanging::SHARED`] are none.
    pub(super) fn group(&self, id: u32) -> u32 {
        self.groups.get(id as usize).copied().unwrap_or(NOBODY)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hanging::SHARED;
    use super::*;
    use crate::diag::Cancel;
    use crate::heap::graph::Chunk;

    #[test]
    fn what_hangs_on_cycles_is_told_apart() {
        // 0 and 1 are a cycle that refers to 2 and 3; 3 to itself and 4; 2 and 4 to 5; 6 is not garbage.
        let rows: &[&[u32]] = &[&[1, 2, 3], &[0], &[5], &[3, 4], &[5], &[], &[0]];
        let mut chunk = Chunk::new(0);
        for row in rows {
            row.iter().for_each(|to| chunk.edge(*to));
            chunk.close();
        }
        let told = Csr::from_chunks(7, vec![chunk]).unwrap();
        let cancel = Cancel::default();
        let garbage = NodeSet::of(7, 0..6);
        let cycles = Cycles::of(&told, &garbage, &Watch::quiet(&cancel)).unwrap();
        assert_eq!(cycles.count(), 2);
        assert_eq!(
            (cycles.members(0), cycles.members(1)),
            (&[0, 1][..], &[3][..])
        );
        let groups: Vec<u32> = (0..7).map(|id| cycles.group(id)).collect();
        assert_eq!(groups, [0, 0, 0, 1, 1, SHARED, NOBODY]);
    }
}
