//! Counts of objects that have something in common.

/// How many objects, and how large they are together.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Tally {
    pub(super) count: u64,
    /// Bytes, as `sys.getsizeof` tells them.
    pub(super) bytes: u64,
    /// Instances whose type may tell another size by code of its own.
    pub(super) unsure: u64,
    /// Instances whose size or references could not all be read.
    pub(super) broken: u64,
}

impl Tally {
    /// Counts others, too.
    pub(super) fn add(&mut self, other: Tally) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.unsure += other.unsure;
        self.broken += other.broken;
    }

    /// What is left without some of these.
    pub(super) fn without(self, other: Tally) -> Tally {
        Tally {
            count: self.count.saturating_sub(other.count),
            bytes: self.bytes.saturating_sub(other.bytes),
            unsure: self.unsure.saturating_sub(other.unsure),
            broken: self.broken,
        }
    }
}

/// The tally with a number, made when there is none.
#[inline]
pub(super) fn at(tallies: &mut Vec<Tally>, number: u32) -> &mut Tally {
    let at = number as usize;
    if tallies.len() <= at {
        tallies.resize(at + 1, Tally::default());
    }
    // Just made, if it was not there.
    &mut tallies[at]
}
