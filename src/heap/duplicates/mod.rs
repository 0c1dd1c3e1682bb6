//! Objects of one value: strings, bytes, numbers, and tuples of the same items, of which one would
//! do. Values are hashed, and those of one hash compared, so that no two are taken for equal that
//! are not.

mod content;
mod same;

use super::graph::Stopped;
use super::partition::{By, Grouping, Row};
use super::pieces::Pieces;
use super::thing::Thing;
use super::{Heap, Named};
use crate::addr::Addr;
use content::{Contents, Shape};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use same::Same;
use serde::Serialize;
use std::cmp::Reverse;
use std::sync::Arc;

/// The most objects of one value whose holders are looked at.
const MOST_HELD: usize = 1 << 20;

/// Groups of holders that are told.
const MOST_HOLDERS: usize = 5;

/// How deep tuples in tuples are compared; those that lie deeper are equal if they are one.
const DEEPEST: usize = 16;

/// The objects of one type.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DuplicateType {
    /// Its full name.
    pub name: Arc<str>,
    /// Its instances.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Values that several of them have.
    pub values: u64,
    /// How many have these values.
    pub duplicates: u64,
    /// What all of these but one of each value take, in bytes.
    pub wasted: u64,
    /// Instances that could not be read.
    pub unread: u64,
}

/// Objects of one value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SameValue {
    /// One of them.
    #[serde(flatten)]
    pub object: Thing,
    /// How many there are.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes of all but the largest of them.
    pub wasted: u64,
    /// The objects that refer to them, by kind.
    pub holders: Vec<Row>,
    /// How many kinds of holders are left out.
    pub more_holders: usize,
    /// They themselves, by the module, frame or other root that keeps them alive.
    pub owners: Vec<Row>,
    /// How many owners are left out.
    pub more_owners: usize,
}

/// All objects whose values others have too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Duplicates {
    /// By type, those that waste most first.
    pub types: Vec<DuplicateType>,
    /// What is wasted in all, in bytes.
    pub wasted: u64,
    /// By value, those that waste most first.
    pub values: Vec<SameValue>,
    /// How many values are left out.
    pub left_out: usize,
    /// What they waste, in bytes.
    pub left_out_wasted: u64,
}

impl Heap {
    /// Whether instances of a type are compared by [`Heap::duplicates`].
    pub fn is_compared(&self, ty: Addr) -> bool {
        let objects = &self.python.objects;
        let ty = objects.type_at(ty);
        ty.is_ok_and(|ty| content::shape(objects, &ty).is_some())
    }

    /// Objects with the same value, of these types or all that are compared; at most `most` values
    /// are told one by one.
    pub fn duplicates(&self, types: Option<&Named>, most: usize) -> Result<Duplicates, Stopped> {
        let target = &self.python.process.target;
        let pieces = Pieces::new(&*target.memory, &target.mappings);
        let contents = Contents::new(self, &pieces);
        let same = self.same_values(&contents)?;
        let wanted: Option<FxHashSet<Addr>> =
            types.map(|named| named.values().flatten().copied().collect());
        let is_wanted = |id: u32| {
            let ty = self.kind(id).map(|kind| kind.keeping.ty.addr);
            let wanted = wanted.as_ref();
            wanted.is_none_or(|wanted| ty.is_some_and(|ty| wanted.contains(&ty)))
        };
        let mut rows: Vec<DuplicateType> = (0..self.kinds().len())
            .map(|number| DuplicateType {
                name: self.kind_name(number as u32),
                objects: 0,
                bytes: 0,
                values: 0,
                duplicates: 0,
                wasted: 0,
                unread: 0,
            })
            .collect();
        let is_compared = |id: &u32| contents.shape(*id).is_some() && is_wanted(*id);
        for id in (0..self.count()).filter(is_compared) {
            if let Some(row) = rows.get_mut(self.kind_number(id) as usize) {
                row.objects += 1;
                row.bytes = row.bytes.saturating_add(self.size(id));
            }
        }
        for id in same.unread.iter().filter(|id| is_wanted(**id)) {
            if let Some(row) = rows.get_mut(self.kind_number(*id) as usize) {
                row.unread += 1;
            }
        }
        // What is wasted by each value, and which it is.
        let mut values: Vec<(u64, u32)> = Vec::new();
        for (number, ids) in (0..).zip(same.groups()) {
            let Some(first) = ids.first().filter(|id| is_wanted(**id)) else {
                continue;
            };
            let wasted = self.wasted(ids);
            values.push((wasted, number));
            if let Some(row) = rows.get_mut(self.kind_number(*first) as usize) {
                row.values += 1;
                row.duplicates += ids.len() as u64;
                row.wasted = row.wasted.saturating_add(wasted);
            }
        }
        rows.retain(|row| row.objects > 0);
        rows.sort_by(|a, b| (Reverse(a.wasted), &a.name).cmp(&(Reverse(b.wasted), &b.name)));
        // Groups of the same waste stay in the order of their first objects.
        values.par_sort_unstable_by_key(|(wasted, number)| {
            let first = same.group(*number).first().copied();
            (Reverse(*wasted), first)
        });
        let left = values.get(most..).unwrap_or_default();
        let left_out_wasted = left
            .iter()
            .fold(0_u64, |sum, (w, _)| sum.saturating_add(*w));
        let left_out = left.len();
        values.truncate(most);
        let told = if values.is_empty() {
            Vec::new()
        } else {
            let (kinds, owners) = (Grouping::of(self, By::Kind), Grouping::of(self, By::Owner));
            let tell = |(_, number): &(u64, u32)| self.tell(same.group(*number), &kinds, &owners);
            values.iter().map(tell).collect()
        };
        Ok(Duplicates {
            wasted: rows
                .iter()
                .fold(0_u64, |sum, row| sum.saturating_add(row.wasted)),
            types: rows,
            values: told,
            left_out,
            left_out_wasted,
        })
    }

    /// The bytes of all but the largest.
    fn wasted(&self, ids: &[u32]) -> u64 {
        let sizes = ids.iter().map(|id| self.size(*id));
        let (sum, largest) = sizes.fold((0_u64, 0), |(sum, largest), size| {
            (sum.saturating_add(size), size.max(largest))
        });
        sum.saturating_sub(largest)
    }

    /// Finds all groups; what stands for the items of tuples are the first ones of theirs.
    fn same_values(&self, contents: &Contents<'_, '_>) -> Result<Same, Stopped> {
        let cancel = &self.python.process.cancel;
        let all = (0..self.count()).into_par_iter();
        let of_shape = |tuples: bool| {
            let fits = move |id: &u32| {
                let shape = contents.shape(*id);
                shape.is_some_and(|shape| (shape == Shape::Tuple) == tuples)
            };
            all.clone().filter(fits).collect::<Vec<u32>>()
        };
        let (atoms, mut open) = (of_shape(false), of_shape(true));
        let hash = |id| contents.hash(id);
        let is_same = |one, other| contents.is_same(one, other);
        let mut found = Same::of(&atoms, &hash, &is_same, cancel)?;
        drop(atoms);
        let mut stands: Vec<u32> = (0..self.count()).collect();
        let mut closed = vec![true; stands.len()];
        open.iter().for_each(|id| mark(&mut closed, *id, false));
        for ids in found.groups() {
            stand_for(&mut stands, ids);
        }
        for depth in 0..=DEEPEST {
            let is_closed = |id: &u32| {
                let mut items = self.references().targets_of(*id).iter();
                items.all(|item| closed.get(*item as usize).copied().unwrap_or(true))
            };
            let (now, later): (Vec<u32>, Vec<u32>) = match depth {
                // In what is left tuples are what they are.
                DEEPEST => (open, Vec::new()),
                _ => open.into_par_iter().partition(is_closed),
            };
            if now.is_empty() && later.is_empty() {
                break;
            }
            let hash = |id| contents.hash_items(id, &stands);
            let is_same = |one, other| contents.has_same_items(one, other, &stands);
            let more = Same::of(&now, &hash, &is_same, cancel)?;
            for ids in more.groups() {
                stand_for(&mut stands, ids);
            }
            now.iter().for_each(|id| mark(&mut closed, *id, true));
            found = found.join(more);
            open = later;
        }
        Ok(found)
    }

    fn tell(&self, ids: &[u32], kinds: &Grouping<'_>, owners: &Grouping<'_>) -> SameValue {
        let ids_looked_at = ids.get(..MOST_HELD).unwrap_or(ids);
        let holders = ids_looked_at.iter();
        let holders = holders.flat_map(|id| self.referrers.targets_of(*id));
        let mut holders: Vec<u32> = holders.take(MOST_HELD).copied().collect();
        holders.sort_unstable();
        holders.dedup();
        let (holders, more_holders) = largest(kinds.partition(Some(&holders)).rows);
        let (owners, more_owners) = largest(owners.partition(Some(ids_looked_at)).rows);
        let sizes = ids.iter().map(|id| self.size(*id));
        SameValue {
            object: self.thing(ids.first().copied().unwrap_or(u32::MAX)),
            count: ids.len() as u64,
            bytes: sizes.fold(0, u64::saturating_add),
            wasted: self.wasted(ids),
            holders,
            more_holders,
            owners,
            more_owners,
        }
    }
}

/// The groups with most objects, and how many there are beside.
fn largest(mut rows: Vec<Row>) -> (Vec<Row>, usize) {
    rows.sort_by(|a, b| (Reverse(a.count), &a.name).cmp(&(Reverse(b.count), &b.name)));
    let more = rows.len().saturating_sub(MOST_HOLDERS);
    rows.truncate(MOST_HOLDERS);
    (rows, more)
}

/// The first of these objects stands for all.
fn stand_for(stands: &mut [u32], ids: &[u32]) {
    let Some(first) = ids.first() else {
        return;
    };
    for id in ids {
        if let Some(stands) = stands.get_mut(*id as usize) {
            *stands = *first;
        }
    }
}

fn mark(closed: &mut [bool], id: u32, is_closed: bool) {
    if let Some(entry) = closed.get_mut(id as usize) {
        *entry = is_closed;
    }
}
