//! All objects by kind, and what some retain, against guppy3 in the same process. Guppy hides what is
//! its own, and follows what objects tell the collector, so it misses what only untold references
//! lead to; both are told apart here object by object.

use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use crate::heap_paths::heap;
use crate::packages;
use pydbg::Addr;
use pydbg::heap::partition::{By, Grouping};
use pydbg::heap::{Heap, TreeBounds};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

const VERSIONS: &[&str] = &["3.11", "3.12", "3.13"];

const PACKAGES: &[&str] = &["guppy3==3.1.7"];

/// Kinds that guppy names otherwise: a name for them, the kinds, and the reason. Their sums are equal.
const DIFFERENT: &[(&str, &[&str], &str)] = &[
    (
        "namespaces",
        &[
            "StgDict",
            "dict (no owner)",
            "dict of type",
            "dict of _ctypes.",
            "dict of ctypes._endian.",
        ],
        "guppy does not know the namespaces of static types (3.12+) and of those of ctypes",
    ),
    (
        "functions of ctypes",
        &[
            "ctypes.CFUNCTYPE.<locals>.CFunctionType",
            "ctypes.PYFUNCTYPE.<locals>.CFunctionType",
        ],
        "guppy gives all these classes one name",
    ),
];

/// What guppy leaves out beside its own objects: the converters of functions of ctypes, which their
/// classes tell since 3.13 without guppy's knowing.
const HIDDEN: &[&str] = &["tuple (<built-in method from_param of _ctypes."];

/// An object that guppy found.
struct Node {
    address: Addr,
    class: u64,
    size: u64,
    /// Whether the collector leads to it.
    told: bool,
}

/// Objects and bytes by kind.
type Rows = BTreeMap<String, (u64, u64)>;

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

fn nodes(fixture: &Fixture) -> Vec<Node> {
    let name = fixture.truth.expect["nodes"].as_str().expect("a file");
    let raw = std::fs::read(fixture.dir().join(name)).expect("the file");
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    let words: Vec<u64> = raw.chunks_exact(8).map(word).collect();
    let node = |row: &[u64]| Node {
        address: Addr(row[0]),
        class: row[1],
        size: row[2],
        told: row[3] != 0,
    };
    words.chunks_exact(4).map(node).collect()
}

/// What objects tell the collector that guppy has not found; by id, with one that tells.
fn told_beside(heap: &Heap, guppys: &HashSet<u32>) -> BTreeMap<u32, u32> {
    let mut beside = BTreeMap::new();
    for from in guppys {
        let told = heap
            .python
            .objects
            .referents(heap.address(*from), &mut |to| {
                if let Some(to) = heap.id(to).filter(|to| !guppys.contains(to)) {
                    beside.insert(to, *from);
                }
                ControlFlow::Continue(())
            });
        told.expect("references");
    }
    beside
}

fn short(heap: &Heap, id: u32) -> String {
    let repr: String = heap.thing(id).repr.chars().take(60).collect();
    format!("{} {repr}", heap.class(id))
}

/// The rows of kinds that both name alike, and of the others their sum.
fn alike(rows: impl Iterator<Item = (String, (u64, u64))>) -> Rows {
    let mut all = Rows::new();
    for (name, (count, bytes)) in rows {
        let group = DIFFERENT.iter().find(|(_, names, _)| {
            let is =
                |known: &&str| name == *known || known.ends_with('.') && name.starts_with(*known);
            names.iter().any(is)
        });
        let row = all
            .entry(group.map_or(name, |(group, ..)| (*group).to_owned()))
            .or_default();
        *row = (row.0 + count, row.1 + bytes);
    }
    all
}

/// The objects that guppy found, by id, each like its own; and how many it has let go of since.
fn found(heap: &Heap, fixture: &Fixture) -> Result<(HashSet<u32>, Rows), String> {
    let (mut found, mut gone) = (HashSet::new(), Rows::new());
    let mut wrong = Vec::new();
    for node in nodes(fixture) {
        let class = heap
            .python
            .objects
            .type_at(Addr(node.class))
            .expect("a class");
        let class = heap.python.objects.full_name(&class);
        let Some(id) = heap.id(node.address) else {
            if node.told {
                wrong.push(format!("{class} at {} is missing", node.address));
            }
            let row = gone.entry(class.to_string()).or_default();
            *row = (row.0 + 1, row.1 + node.size);
            continue;
        };
        // A frame that ran when guppy looked is another one now, at the same place.
        if !node.told && *heap.class(id) == *"frame" {
            let row = gone.entry(class.to_string()).or_default();
            *row = (row.0 + 1, row.1 + node.size);
            continue;
        }
        found.insert(id);
        let kind = heap.kind(id).map_or(0, |kind| kind.keeping.ty.addr.0);
        if (kind, heap.size(id)) != (node.class, node.size) {
            let size = heap.size(id);
            wrong.push(format!(
                "{}: {size} bytes, guppy {}",
                short(heap, id),
                node.size
            ));
        }
    }
    match wrong.is_empty() {
        true => Ok((found, gone)),
        false => Err(wrong.join("; ")),
    }
}

/// What guppy does not have although objects that it has tell of it is guppy's own, or known.
fn beside(heap: &Heap, guppys: &HashSet<u32>) -> Result<(), String> {
    let is_own = |(id, _): &(u32, u32)| {
        let text = short(heap, *id);
        heap.class(*id).starts_with("guppy.")
            || text.starts_with("type <class 'guppy.")
            || HIDDEN.iter().any(|hidden| text.starts_with(hidden))
    };
    let beside = told_beside(heap, guppys).into_iter();
    let others = beside.filter(|pair| !is_own(pair));
    let others = others.map(|(to, from)| format!("{} of {}", short(heap, to), short(heap, from)));
    let others: Vec<String> = others.collect();
    match others.is_empty() {
        true => Ok(()),
        false => Err(format!("guppy lacks {}", others.join("; "))),
    }
}

/// The table, row by row.
fn rows(heap: &Heap, fixture: &Fixture, guppys: &HashSet<u32>, gone: &Rows) -> Result<(), String> {
    let mut ids: Vec<u32> = guppys.iter().copied().collect();
    ids.sort_unstable();
    let found = Grouping::of(heap, By::Kind)
        .partition(Some(&ids))
        .rows
        .into_iter();
    let found = found.map(|row| (row.name, (row.count, row.bytes)));
    let found = alike(found.chain(gone.clone()));
    let told = fixture.truth.expect["rows"]
        .as_object()
        .expect("rows")
        .iter();
    let told = told.map(|(name, row)| (name.clone(), (number(&row[0]), number(&row[1]))));
    let told = alike(told);
    let names: BTreeSet<&String> = told.keys().chain(found.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| told.get(*name) != found.get(*name));
    let row = |name| format!("{name}: {:?}, guppy {:?}", found.get(name), told.get(name));
    let wrong: Vec<String> = differ.map(row).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("; ")),
    }
}

/// What each example retains.
fn retained(heap: &Heap, fixture: &Fixture) -> Result<(), String> {
    let examples = fixture.truth.expect["dominated"].as_object();
    for (name, row) in examples.expect("examples") {
        let id = heap.id(Addr(number(&row[0]))).ok_or(name.clone())?;
        let retained = heap.owner(id, TreeBounds { most: 0, depth: 0 }).retained;
        let keys = match name == "keys" {
            true => number(&fixture.truth.expect["keys"]),
            false => 0,
        };
        if retained != number(&row[1]) + keys {
            return Err(format!(
                "{name} retains {retained}, guppy: {} and {keys} of keys",
                row[1]
            ));
        }
    }
    Ok(())
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "guppy_heap", &[]);
    let heap = heap(&fixture);
    let id = &interpreter.id;
    match found(&heap, &fixture) {
        Ok((guppys, gone)) => {
            let (all, of_guppy) = (heap.count(), guppys.len());
            println!("{id}: {of_guppy} of guppy's objects, {all} in all; gone: {gone:?}");
            failures.check(&format!("{id} beside"), beside(&heap, &guppys));
            failures.check(&format!("{id} rows"), rows(&heap, &fixture, &guppys, &gone));
        }
        Err(why) => failures.check(&format!("{id} objects"), Err(why)),
    }
    failures.check(&format!("{id} retained"), retained(&heap, &fixture));
}

#[test]
fn kinds_and_retained_sizes_are_those_of_guppy() {
    let mut failures = Failures::default();
    for version in VERSIONS {
        let id = format!("pyenv-{version}");
        let Some(interpreter) = interpreters().iter().find(|i| i.id == id) else {
            continue;
        };
        let folder = format!("packages-guppy-{version}");
        let mut interpreter = interpreter.at(&packages::python(interpreter, &folder, PACKAGES));
        interpreter.id = id;
        check(&interpreter, &mut failures);
    }
    failures.finish();
}
