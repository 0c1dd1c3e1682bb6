//! Objects in groups, as guppy partitions them: by kind, type, module, size, and by who holds them
//! or tracks them (guppy/heapy/Part.py, Classifiers.py).

mod dicts;
mod grouping;
mod memory;
mod owners;
mod tracking;

pub use grouping::Grouping;

use super::Census;
use serde::Serialize;
use std::cmp::Reverse;

/// What objects of one group have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The class; dictionaries of attributes by the class whose attributes they are.
    Kind,
    /// The class.
    Type,
    /// The module of the class.
    Module,
    /// The size.
    Size,
    /// The module, frame or other root that keeps them alive.
    Owner,
    /// The interpreter in whose lists of the collector they are.
    Interpreter,
    /// The list of the collector in which they are.
    Generation,
    /// Which allocator their memory is from.
    Alloc,
}

impl By {
    /// All there are, in the order they are told.
    pub const ALL: [By; 8] = [
        By::Kind,
        By::Type,
        By::Module,
        By::Size,
        By::Owner,
        By::Interpreter,
        By::Generation,
        By::Alloc,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            By::Kind => "kind",
            By::Type => "type",
            By::Module => "module",
            By::Size => "size",
            By::Owner => "owner",
            By::Interpreter => "interpreter",
            By::Generation => "generation",
            By::Alloc => "alloc",
        }
    }

    /// The heading of a column of groups, in guppy's words where it has any.
    pub fn heading(self) -> &'static str {
        match self {
            By::Kind => "Kind (class / dict of class)",
            By::Type => "Type",
            By::Module => "Module",
            By::Size => "Individual Size",
            By::Owner => "Owner",
            By::Interpreter => "Interpreter",
            By::Generation => "Generation",
            By::Alloc => "Allocator",
        }
    }
}

/// The objects of one group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Row {
    /// What stands for the group in [`Grouping::select`].
    #[serde(skip)]
    pub key: u64,
    /// The group.
    pub name: String,
    /// Its objects.
    pub count: u64,
    /// Their bytes, as `sys.getsizeof` tells them.
    pub bytes: u64,
}

/// A set of objects in groups.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Partition {
    /// What makes a group.
    pub by: By,
    /// Objects in all.
    pub count: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// The groups, the largest first.
    pub rows: Vec<Row>,
}

impl Partition {
    pub(super) fn new(by: By, mut rows: Vec<Row>) -> Partition {
        rows.sort_by(|a, b| {
            let key = |row: &Row| (Reverse(row.bytes), Reverse(row.count));
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        Partition {
            by,
            count: rows.iter().map(|row| row.count).sum(),
            bytes: rows
                .iter()
                .fold(0, |all, row| all.saturating_add(row.bytes)),
            rows,
        }
    }

    /// All objects by kind, as they were counted.
    pub fn of(census: &Census) -> Partition {
        let rows = census.partition.iter().map(|row| Row {
            key: kind_key(row.address.0, row.dicts),
            name: kind_name(&row.name, row.dicts),
            count: row.count,
            bytes: row.bytes,
        });
        Partition::new(By::Kind, rows.collect())
    }
}

/// What stands for a kind: the address of the class, whose lowest bit is free, and whether it is
/// the kind of the dictionaries of its instances' attributes.
fn kind_key(class: u64, dicts: bool) -> u64 {
    class & !1 | u64::from(dicts)
}

/// `app.Account`, `dict of app.Account`; a dictionary that is nobody's attributes is said to be so.
fn kind_name(class: &str, dicts: bool) -> String {
    match (class, dicts) {
        (class, true) => format!("dict of {class}"),
        ("dict", false) => "dict (no owner)".to_owned(),
        (class, false) => class.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_their_size() {
        let row = |name: &str, count, bytes| Row {
            key: 0,
            name: name.to_owned(),
            count,
            bytes,
        };
        let rows = vec![
            row("b", 1, 5),
            row("a", 1, 5),
            row("c", 3, 5),
            row("d", 1, 9),
        ];
        let partition = Partition::new(By::Type, rows);
        let names: Vec<_> = partition.rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["d", "c", "a", "b"]);
        assert_eq!((partition.count, partition.bytes), (6, 24));
    }

    #[test]
    fn dictionaries_have_owners_or_none() {
        assert_eq!(kind_name("dict", false), "dict (no owner)");
        assert_eq!(kind_name("app.Account", true), "dict of app.Account");
        assert_eq!(kind_name("dict", true), "dict of dict");
        assert_eq!(kind_name("str", false), "str");
        assert_ne!(kind_key(0x1000, true), kind_key(0x1000, false));
    }
}
