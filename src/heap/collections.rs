//! Containers that have set aside more memory than they use: lists, dictionaries, sets, deques and
//! byte arrays, by kind, and the worst of them.

use super::graph::Stopped;
use super::partition::{By, Grouping, Row};
use super::parts::{Capacity, Parts};
use super::pieces::Pieces;
use super::thing::Thing;
use super::{Heap, Named};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::cmp::Reverse;

/// Objects that one task looks at.
const BATCH: usize = 1 << 14;

/// Kinds of holders that are told.
const MOST_HOLDERS: usize = 3;

/// How full containers are, in the columns of [`CollectionKind::fill`].
pub const FILLS: [&str; 5] = ["empty", "<25%", "<50%", "<75%", ">=75%"];

/// The containers of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CollectionKind {
    /// The class, or whose attributes they are.
    pub name: String,
    /// How many there are.
    pub count: u64,
    /// Their bytes, as `sys.getsizeof` tells them.
    pub bytes: u64,
    /// The bytes of places that are set aside for items and have none.
    pub unused: u64,
    /// How many are empty, and how many have so many of their places filled: less than a quarter, a
    /// half, three quarters, and more.
    pub fill: [u64; FILLS.len()],
    /// The objects that refer to them, by kind, with how many of them and their bytes without an
    /// item. Of several that refer to one the first in memory counts.
    pub holders: Vec<Row>,
    /// How many kinds of holders are left out.
    pub more_holders: usize,
}

/// One container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Filled {
    /// The container.
    #[serde(flatten)]
    pub object: Thing,
    /// Items.
    pub used: u64,
    /// Places for items.
    pub room: u64,
    /// The bytes of places without an item.
    pub unused: u64,
    /// Why it is alive, as an expression; `None` where nothing leads to it.
    pub path: Option<String>,
}

/// All containers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Collections {
    /// How many there are.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of places without an item.
    pub unused: u64,
    /// By kind, those with most unused memory first.
    pub kinds: Vec<CollectionKind>,
    /// How many kinds are left out.
    pub left_out: usize,
    /// Those with most unused memory.
    pub largest: Vec<Filled>,
    /// Those that make no sense.
    pub broken: u64,
}

/// What one task found.
#[derive(Default)]
struct Sums {
    kinds: FxHashMap<u64, CollectionKind>,
    /// By the kinds of containers and holders: how many containers, and bytes without an item.
    holders: FxHashMap<(u64, u64), (u64, u64)>,
    largest: Vec<(u64, u32)>,
    broken: u64,
}

impl Sums {
    fn add(&mut self, key: u64, bytes: u64, capacity: Capacity) {
        let kind = self.kinds.entry(key).or_insert_with(empty);
        kind.count += 1;
        kind.bytes = kind.bytes.saturating_add(bytes);
        kind.unused = kind.unused.saturating_add(capacity.unused());
        if let Some(column) = kind.fill.get_mut(column(capacity)) {
            *column += 1;
        }
    }

    fn join(mut self, other: Sums, most: usize) -> Sums {
        for (key, more) in other.kinds {
            let kind = self.kinds.entry(key).or_insert_with(empty);
            kind.count += more.count;
            kind.bytes = kind.bytes.saturating_add(more.bytes);
            kind.unused = kind.unused.saturating_add(more.unused);
            for (column, more) in kind.fill.iter_mut().zip(more.fill) {
                *column += more;
            }
        }
        for (key, (count, unused)) in other.holders {
            self.held(key, count, unused);
        }
        self.largest.extend(other.largest);
        self.keep(most);
        self.broken += other.broken;
        self
    }

    fn held(&mut self, kinds: (u64, u64), count: u64, unused: u64) {
        let sum = self.holders.entry(kinds).or_default();
        sum.0 += count;
        sum.1 = sum.1.saturating_add(unused);
    }

    /// The largest holders of a kind of containers, and how many there are beside.
    fn holders_of(&self, kind: u64, kinds: &Grouping<'_>) -> (Vec<Row>, usize) {
        let own = self.holders.iter().filter(|((own, _), _)| *own == kind);
        let row = |((_, key), (count, bytes)): (&(u64, u64), &(u64, u64))| Row {
            key: *key,
            name: kinds.name(*key),
            count: *count,
            bytes: *bytes,
        };
        let mut rows: Vec<Row> = own.map(row).collect();
        let key = |row: &Row| (Reverse(row.bytes), Reverse(row.count));
        rows.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)));
        let more = rows.len().saturating_sub(MOST_HOLDERS);
        rows.truncate(MOST_HOLDERS);
        (rows, more)
    }

    /// Forgets all but the largest.
    fn keep(&mut self, most: usize) {
        let key = |(unused, id): &(u64, u32)| (Reverse(*unused), *id);
        self.largest.sort_unstable_by_key(key);
        self.largest.truncate(most);
    }
}

fn empty() -> CollectionKind {
    CollectionKind {
        name: String::new(),
        count: 0,
        bytes: 0,
        unused: 0,
        fill: [0; FILLS.len()],
        holders: Vec::new(),
        more_holders: 0,
    }
}

/// Which of [`FILLS`] it is.
fn column(capacity: Capacity) -> usize {
    const QUARTERS: u64 = 4;
    if capacity.used == 0 {
        return 0;
    }
    let quarters = capacity.used.saturating_mul(QUARTERS) / capacity.room.max(1);
    1 + quarters.min(QUARTERS - 1) as usize
}

impl Heap {
    /// The containers of these types, or all, at most `most` kinds and single ones of them.
    pub fn collections(&self, types: Option<&Named>, most: usize) -> Result<Collections, Stopped> {
        let target = &self.python.process.target;
        let cancel = &self.python.process.cancel;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let parts = Parts::new(&self.python, &pieces);
        let kinds = Grouping::of(self, By::Kind);
        let wanted: Option<FxHashSet<_>> =
            types.map(|named| named.values().flatten().copied().collect());
        let look = |mut sums: Sums, id: u32| {
            let Some(kind) = self.kind(id) else {
                return sums;
            };
            let ty = kind.keeping.ty.addr;
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&ty)) {
                return sums;
            }
            match parts.capacity(self.address(id), kind) {
                Ok(None) => {}
                Ok(Some(capacity)) => {
                    let key = kinds.key(id);
                    sums.add(key, self.size(id), capacity);
                    let holders = self.referrers.targets_of(id).iter();
                    if let Some(holder) = holders.filter(|holder| **holder != id).min() {
                        sums.held((key, kinds.key(*holder)), 1, capacity.unused());
                    }
                    if capacity.unused() > 0 {
                        sums.largest.push((capacity.unused(), id));
                    }
                    if sums.largest.len() > BATCH && sums.largest.len() / 2 > most {
                        sums.keep(most);
                    }
                }
                Err(_) => sums.broken += 1,
            }
            sums
        };
        let all = (0..self.count()).into_par_iter().with_min_len(BATCH);
        let all = all.take_any_while(|_| !cancel.is_cancelled());
        let sums = all.fold(Sums::default, look);
        let sums = sums.reduce(Sums::default, |all, more| all.join(more, most));
        if cancel.is_cancelled() {
            return Err(Stopped);
        }
        let kind = |(key, kind): (&u64, &CollectionKind)| CollectionKind {
            name: kinds.name(*key),
            ..kind.clone()
        };
        let mut rows: Vec<(u64, CollectionKind)> = sums
            .kinds
            .iter()
            .map(|entry| (*entry.0, kind(entry)))
            .collect();
        rows.sort_by(|(_, a), (_, b)| {
            let key = |row: &CollectionKind| (Reverse(row.unused), Reverse(row.count));
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        let sum = |part: fn(&CollectionKind) -> u64| {
            rows.iter()
                .map(|(_, row)| part(row))
                .fold(0, u64::saturating_add)
        };
        let (count, bytes, unused) = (sum(|k| k.count), sum(|k| k.bytes), sum(|k| k.unused));
        let mut largest = sums.largest.iter().take(most);
        let largest = largest.try_fold(Vec::new(), |mut all, (_, id)| {
            let kind = self.kind(*id);
            let capacity = kind.and_then(|kind| parts.capacity(self.address(*id), kind).ok()?);
            if let Some(capacity) = capacity {
                all.push(Filled {
                    object: self.thing(*id),
                    used: capacity.used,
                    room: capacity.room,
                    unused: capacity.unused(),
                    path: self.path_text(*id)?,
                });
            }
            Ok(all)
        });
        let left_out = rows.len().saturating_sub(most);
        let told = rows.into_iter().take(most).map(|(key, mut row)| {
            (row.holders, row.more_holders) = sums.holders_of(key, &kinds);
            row
        });
        Ok(Collections {
            count,
            bytes,
            unused,
            left_out,
            kinds: told.collect(),
            largest: largest?,
            broken: sums.broken,
        })
    }

    /// The shortest way to an object as an expression.
    fn path_text(&self, id: u32) -> Result<Option<String>, Stopped> {
        match self.paths_to(id, 1, false) {
            Ok(found) => Ok(found.paths.into_iter().next().map(|path| path.chain.text)),
            Err(_) if self.python.process.cancel.is_cancelled() => Err(Stopped),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_their_names() {
        let fill = |used, room| {
            let place = 8;
            FILLS[column(Capacity { room, used, place })]
        };
        assert_eq!(fill(0, 0), "empty");
        assert_eq!(fill(0, 8), "empty");
        assert_eq!(fill(1, 8), "<25%");
        assert_eq!(fill(2, 8), "<50%");
        assert_eq!(fill(4, 8), "<75%");
        assert_eq!(fill(6, 8), ">=75%");
        assert_eq!(fill(8, 8), ">=75%");
    }
}
