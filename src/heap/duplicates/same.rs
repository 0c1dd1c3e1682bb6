//! Groups of what is the same: by hash first, then by comparing.

use crate::diag::Cancel;
use crate::heap::graph::Stopped;
use rayon::iter::Either;
use rayon::prelude::*;

/// Objects that one task hashes.
const BATCH: usize = 1 << 13;

/// Groups of at least two objects each, one after the other.
#[derive(Default, Debug)]
pub(super) struct Same {
    members: Vec<u32>,
    /// Where each group ends.
    ends: Vec<u32>,
    /// Objects without a hash.
    pub(super) unread: Vec<u32>,
}

impl Same {
    /// Groups objects, which are in the order of their ids.
    pub(super) fn of(
        ids: &[u32],
        hash: &(dyn Fn(u32) -> Option<u64> + Sync),
        is_same: &(dyn Fn(u32, u32) -> bool + Sync),
        cancel: &Cancel,
    ) -> Result<Same, Stopped> {
        let hashed = |ids: &[u32]| {
            let ids = match cancel.is_cancelled() {
                true => &[],
                false => ids,
            };
            let pair =
                |id: &u32| hash(*id).map_or(Either::Right(*id), |hash| Either::Left((hash, *id)));
            ids.iter()
                .map(pair)
                .collect::<Vec<Either<(u64, u32), u32>>>()
        };
        let each = ids.par_chunks(BATCH).flat_map_iter(hashed);
        let (mut all, unread): (Vec<(u64, u32)>, Vec<u32>) = each.partition_map(|either| either);
        all.par_sort_unstable();
        let runs = all.par_chunk_by(|one, other| one.0 == other.0);
        let mut found = runs
            .filter(|run| run.len() > 1 && !cancel.is_cancelled())
            .fold(Same::default, |mut found, run| {
                found.split(run.iter().map(|(_, id)| *id).collect(), is_same);
                found
            })
            .reduce(Same::default, Same::join);
        if cancel.is_cancelled() {
            return Err(Stopped);
        }
        found.unread = unread;
        Ok(found)
    }

    /// Adds the groups among objects of one hash.
    fn split(&mut self, mut open: Vec<u32>, is_same: &(dyn Fn(u32, u32) -> bool + Sync)) {
        while let Some(first) = open.first().copied() {
            let (same, others): (Vec<u32>, Vec<u32>) = open
                .into_iter()
                .partition(|id| *id == first || is_same(first, *id));
            if same.len() > 1 {
                self.members.extend(same);
                self.ends.push(self.members.len() as u32);
            }
            open = others;
        }
    }

    /// These groups and others.
    pub(super) fn join(mut self, other: Same) -> Same {
        let before = self.members.len() as u32;
        self.members.extend(other.members);
        self.ends.extend(other.ends.iter().map(|end| end + before));
        self.unread.extend(other.unread);
        self
    }

    /// The objects of the group with a number.
    pub(super) fn group(&self, number: u32) -> &[u32] {
        let number = number as usize;
        let before = number.checked_sub(1).and_then(|last| self.ends.get(last));
        let start = before.copied().unwrap_or(0) as usize;
        let end = self.ends.get(number).copied().unwrap_or(0) as usize;
        self.members.get(start..end).unwrap_or_default()
    }

    /// The objects of each group.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.ends.len() as u32).map(|number| self.group(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hash_is_not_one_value() {
        let ids: Vec<u32> = (0..12).collect();
        // All have one of two hashes, but for those that have none; of one value are those of one
        // remainder.
        let hash = |id: u32| (id < 10).then_some(u64::from(id % 2));
        let is_same = |one: u32, other: u32| one % 4 == other % 4;
        let same = Same::of(&ids, &hash, &is_same, &Cancel::default()).expect("not stopped");
        let mut groups: Vec<Vec<u32>> = same.groups().map(<[u32]>::to_vec).collect();
        groups.sort();
        let truth = [vec![0, 4, 8], vec![1, 5, 9], vec![2, 6], vec![3, 7]];
        assert_eq!(groups, truth);
        assert_eq!(same.unread, [10, 11]);
    }
}
