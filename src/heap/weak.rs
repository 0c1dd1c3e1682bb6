//! Weak references and proxies (Include/cpython/weakrefobject.h): `wr_object`, behind the header in
//! every version, keeps nothing alive and is no edge of the graph.

use super::Heap;
use super::graph::{Chunk, Csr, Malformed};
use rayon::prelude::*;

/// Offset of `wr_callback` behind the header.
pub(super) const CALLBACK: u64 = 8;

/// Types that refer weakly with their first word, under the names of all versions.
const WEAK: [&str; 7] = [
    "weakref",
    "weakref.ReferenceType",
    "weakproxy",
    "weakcallableproxy",
    "weakref.ProxyType",
    "weakref.CallableProxyType",
    "_weakref.ReferenceType",
];

impl Heap {
    /// What each weak reference refers to, and its own id; sorted.
    pub fn weak_references(&self) -> Vec<(u32, u32)> {
        let objects = &self.python.objects;
        let is_weak = |ty| WEAK.iter().any(|name| objects.is_a(ty, name));
        let kinds = self.kinds().iter();
        let kinds: Vec<bool> = kinds.map(|kind| is_weak(&kind.keeping.ty)).collect();
        let referent = |id: u32| {
            let number = self.kind_number(id) as usize;
            kinds.get(number).copied().filter(|is_weak| *is_weak)?;
            let at = objects.after(self.address(id), 0);
            Some((self.id(objects.memory.ptr(at).ok()?)?, id))
        };
        let mut found: Vec<(u32, u32)> = (0..self.count())
            .into_par_iter()
            .with_min_len(1 << 12)
            .filter_map(referent)
            .collect();
        found.sort_unstable();
        found
    }

    /// Who refers to each object, weak references among them.
    pub(super) fn referrers_with(&self, weak: &[(u32, u32)]) -> Result<Csr, Malformed> {
        let edges = self.referrers.edges() as usize + weak.len();
        let mut chunk = Chunk::with_capacity(0, self.count() as usize, edges);
        let mut weak = weak.iter().copied().peekable();
        for id in 0..self.count() {
            for referrer in self.referrers.targets_of(id) {
                chunk.edge(*referrer);
            }
            while let Some((_, referrer)) = weak.next_if(|(referent, _)| *referent == id) {
                chunk.edge(referrer);
            }
            chunk.close();
        }
        Csr::from_chunks(self.count().into(), vec![chunk])
    }
}

/// Of sorted pairs, the second ones of those whose first is `first`.
pub(super) fn of(pairs: &[(u32, u32)], first: u32) -> impl Iterator<Item = u32> + '_ {
    let start = pairs.partition_point(|(other, _)| *other < first);
    let from = pairs.get(start..).unwrap_or_default().iter();
    from.take_while(move |(other, _)| *other == first)
        .map(|(_, second)| *second)
}
