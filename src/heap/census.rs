//! How many objects of each type there are, and how large they are together: guppy's partition.

use super::closure;
use super::doubts::Doubts;
use super::pieces::Pieces;
use super::tally::Tally;
use super::trace::Follow;
use super::types::{Kind, Types};
use crate::addr::Addr;
use crate::python::Python;
use serde::Serialize;
use std::sync::Arc;

/// All objects of one kind: the instances of a class, or their dictionaries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TypeRow {
    /// The class's full name.
    pub name: Arc<str>,
    /// Whether these are the dictionaries that instances of the class have as their attributes.
    pub dicts: bool,
    /// Address of the class.
    pub address: Addr,
    /// Its instances, without those of subclasses.
    pub count: u64,
    /// Their bytes, as `sys.getsizeof` tells them.
    pub bytes: u64,
    /// Instances whose size may be another: code of the class tells it.
    pub unsure: u64,
    /// Instances whose references could not all be read.
    pub broken: u64,
}

/// All objects by type.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Census {
    /// The instances of each type, the largest first.
    pub types: Vec<TypeRow>,
    /// The same, but the dictionaries of attributes belong to the type whose attributes they are.
    pub partition: Vec<TypeRow>,
    /// Objects in all.
    pub count: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// What the count may lack.
    pub doubts: Doubts,
}

impl Census {
    /// Counts all objects.
    pub fn of(python: &Python) -> Census {
        Census::following(python, Follow::Everything)
    }

    /// Counts what the collector tracks, and what it is told of that, and so on: the objects that a
    /// program finds in itself by `gc.get_objects` and `gc.get_referents`.
    pub fn of_collector(python: &Python) -> Census {
        Census::following(python, Follow::Told)
    }

    fn following(python: &Python, follow: Follow) -> Census {
        let memory = &*python.process.target.memory;
        let pieces = Pieces::new(memory, &python.process.target.mappings);
        let types = Types::new(&python.objects);
        let found = closure::find(python, &pieces, &types, follow, false);
        let kinds = types.into_kinds();
        let rows = |tallies: &mut dyn Iterator<Item = Tally>, dicts| {
            let rows = kinds.iter().zip(tallies);
            let rows = rows.filter(|(_, tally)| tally.count > 0);
            let rows = rows.map(|(kind, tally)| row(python, kind, &tally, dicts));
            rows.collect::<Vec<TypeRow>>()
        };
        let mut types = rows(&mut found.tallies.iter().copied(), false);
        sort(&mut types);
        let moved = found.moved.iter().copied();
        let moved = moved.chain(std::iter::repeat(Tally::default()));
        let rest = found.tallies.iter().zip(moved);
        let mut partition = rows(&mut rest.map(|(all, moved)| all.without(moved)), false);
        partition.extend(rows(&mut found.owned.iter().copied(), true));
        sort(&mut partition);
        Census {
            count: types.iter().map(|row| row.count).sum(),
            bytes: types.iter().map(|row| row.bytes).sum(),
            types,
            partition,
            doubts: Doubts::of(&found),
        }
    }
}

/// The largest first.
fn sort(rows: &mut [TypeRow]) {
    let key = |row: &TypeRow| {
        (
            std::cmp::Reverse(row.bytes),
            Arc::clone(&row.name),
            row.dicts,
        )
    };
    rows.sort_by_cached_key(key);
}

fn row(python: &Python, kind: &Kind, tally: &Tally, dicts: bool) -> TypeRow {
    TypeRow {
        name: python.objects.full_name(&kind.keeping.ty),
        dicts,
        address: kind.keeping.ty.addr,
        count: tally.count,
        bytes: tally.bytes,
        unsure: tally.unsure,
        broken: tally.broken,
    }
}
