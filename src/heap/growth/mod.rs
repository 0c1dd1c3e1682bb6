//! What has grown from one dump of a program to another: by kind, as guppy's set differences, and by
//! owner, whose paths are the same text in both.

mod past;
mod trail;

pub use past::{Before, Past};

use super::Heap;
use super::partition::{By, Grouping};
use crate::addr::Addr;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use trail::{Trail, Trails};

/// Owners that retain less of the heap in neither dump are not named: one part of so many.
const LEAST_PART: u64 = 1000;

/// Nor are those with fewer bytes than this: a heap of a few MB has as many owners as lines.
const LEAST: u64 = 64 << 10;

/// The share of an owner's growth, in percent, that one below it has to have for the owner itself
/// not to be told.
const SAME_GROWTH: u64 = 90;

/// The whole of one dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Whole {
    /// Objects in all.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of those that no root reaches.
    pub unreachable: u64,
}

/// Objects of one kind, in one dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Amount {
    /// How many there are.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One kind in both dumps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct KindGrowth {
    /// The kind, as `heap` names it.
    pub kind: String,
    /// In the older dump.
    pub old: Amount,
    /// In the newer one.
    pub new: Amount,
    /// How many more there are.
    pub count: i64,
    /// How many more bytes.
    pub bytes: i64,
}

/// One owner in both dumps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OwnerGrowth {
    /// The way to it, from a module or another root.
    pub path: String,
    /// The full name of its class.
    #[serde(rename = "type")]
    pub class: Arc<str>,
    /// Where it is in the newer dump, or in the older one if it is only there.
    pub address: Addr,
    /// What it retained in the older dump; `None` where no owner of this path retained much.
    pub old: Option<u64>,
    /// The same in the newer one.
    pub new: Option<u64>,
    /// How many more bytes that is.
    pub bytes: i64,
}

/// What has grown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Growth {
    /// The older dump.
    pub old: Whole,
    /// The newer one.
    pub new: Whole,
    /// The kinds that differ, those that grew or shrank most bytes first.
    pub kinds: Vec<KindGrowth>,
    /// How many of them are left out.
    pub kinds_left_out: usize,
    /// The owners that differ, likewise.
    pub owners: Vec<OwnerGrowth>,
    /// How many of them are left out.
    pub owners_left_out: usize,
    /// An owner that retains fewer bytes than this is not looked at.
    pub least: u64,
}

impl Growth {
    /// Compares two dumps; at most so many kinds and owners are told.
    pub fn between(old: &Heap, new: &Heap, most: usize) -> Growth {
        let mut kinds = kinds(old, new);
        let kinds_left_out = kinds.len().saturating_sub(most);
        kinds.truncate(most);
        let largest = old.retained.reachable().max(new.retained.reachable());
        let least = (largest / LEAST_PART).max(LEAST);
        let mut owners = owners(old, new, least);
        let owners_left_out = owners.len().saturating_sub(most);
        owners.truncate(most);
        Growth {
            old: Whole::of(old),
            new: Whole::of(new),
            kinds,
            kinds_left_out,
            owners,
            owners_left_out,
            least,
        }
    }
}

impl Whole {
    fn of(heap: &Heap) -> Whole {
        let unreachable = heap.retained.unreachable();
        Whole {
            objects: heap.count().into(),
            bytes: heap.retained.reachable().saturating_add(unreachable),
            unreachable,
        }
    }
}

/// How much larger one number is than another.
fn grown(old: u64, new: u64) -> i64 {
    let by = i64::try_from(new.abs_diff(old)).unwrap_or(i64::MAX);
    if new < old { -by } else { by }
}

/// The kinds that differ. Classes of one name are one kind: their addresses differ between runs.
fn kinds(old: &Heap, new: &Heap) -> Vec<KindGrowth> {
    let mut both: BTreeMap<String, (Amount, Amount)> = BTreeMap::new();
    for (heap, is_new) in [(old, false), (new, true)] {
        for row in Grouping::of(heap, By::Kind).partition(None).rows {
            let amounts = both.entry(row.name).or_default();
            let amount = if is_new {
                &mut amounts.1
            } else {
                &mut amounts.0
            };
            amount.count = amount.count.saturating_add(row.count);
            amount.bytes = amount.bytes.saturating_add(row.bytes);
        }
    }
    let rows = both.into_iter().filter(|(_, (old, new))| old != new);
    let mut rows: Vec<KindGrowth> = rows
        .map(|(kind, (old, new))| KindGrowth {
            kind,
            old,
            new,
            count: grown(old.count, new.count),
            bytes: grown(old.bytes, new.bytes),
        })
        .collect();
    rows.sort_by_key(|row| (Reverse(row.bytes.unsigned_abs()), Reverse(row.count)));
    rows
}

/// The owners that differ, without those whose growth is that of one below them.
fn owners(old: &Heap, new: &Heap, least: u64) -> Vec<OwnerGrowth> {
    let (before, now) = (Trails::new(old), Trails::new(new));
    let (past, present) = (before.all(least), now.all(least));
    let retained = |heap: &Heap, trails: &[Trail]| {
        let mut all: BTreeMap<String, (u64, u32)> = BTreeMap::new();
        for trail in trails {
            // A namespace has the path of its module, which retains it.
            let above = trail.above.and_then(|above| trails.get(above));
            if above.is_some_and(|above| above.path == trail.path) {
                continue;
            }
            // Elements of a set have no names of their own.
            let entry = all.entry(trail.path.clone()).or_insert((0, trail.id));
            entry.0 = entry.0.saturating_add(heap.retained.of(trail.id));
        }
        all
    };
    let (of_old, of_new) = (retained(old, &past), retained(new, &present));
    let mut rows: BTreeMap<&str, OwnerGrowth> = BTreeMap::new();
    for (path, (bytes, id)) in &of_new {
        let small = || past::same(new, *id, path, &before).map(|id| old.retained.of(id));
        let known = of_old.get(path).map(|(bytes, _)| *bytes).or_else(small);
        rows.insert(path, row(new, path, *id, (known, Some(*bytes))));
    }
    for (path, (bytes, id)) in &of_old {
        if !of_new.contains_key(path) {
            let known = past::same(old, *id, path, &now).map(|id| new.retained.of(id));
            rows.insert(path, row(old, path, *id, (Some(*bytes), known)));
        }
    }
    let mut explained: Vec<String> = Vec::new();
    for trails in [&past, &present] {
        for trail in trails {
            let above = trail.above.and_then(|above| trails.get(above));
            let (Some(own), Some(above)) = (
                rows.get(&*trail.path),
                above.and_then(|above| rows.get(&*above.path)),
            ) else {
                continue;
            };
            let same = own.bytes.signum() == above.bytes.signum();
            let least = above.bytes.unsigned_abs() / 100 * SAME_GROWTH;
            if same && own.path != above.path && own.bytes.unsigned_abs() >= least {
                explained.push(above.path.clone());
            }
        }
    }
    explained.sort_unstable();
    let told = rows.into_values().filter(|row| {
        row.bytes != 0
            && explained
                .binary_search_by(|path| (**path).cmp(&row.path))
                .is_err()
    });
    let mut told: Vec<OwnerGrowth> = told.collect();
    told.sort_by_key(|row| Reverse(row.bytes.unsigned_abs()));
    told
}

fn row(heap: &Heap, path: &str, id: u32, (old, new): (Option<u64>, Option<u64>)) -> OwnerGrowth {
    OwnerGrowth {
        path: path.to_owned(),
        class: heap.class(id),
        address: heap.address(id),
        old,
        new,
        bytes: grown(old.unwrap_or(0), new.unwrap_or(0)),
    }
}
