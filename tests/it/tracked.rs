//! What the garbage collector tracks, object by object, against what it says itself.

use crate::harness::corefile::CoreFile;
use crate::harness::{Failures, Fixture, Interpreter, interpreters, list};
use crate::values_without_files::hide_files;
use pydbg::Addr;
use pydbg::diag::Cancel;
use pydbg::heap::pieces::Pieces;
use pydbg::heap::tracked::{self, Tracked};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Options, Target};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Generations that `tracked_census.py` tells of beside those of the collector.
const EVERYTHING: u64 = 8;
const FROZEN: u64 = 9;

/// What one process says of itself: words by interpreter and generation.
type Told = BTreeMap<(i64, u64), BTreeSet<u64>>;

/// Reads what `tracked_census.py` wrote.
fn told(fixture: &Fixture) -> Told {
    let raw = std::fs::read(fixture.dir().join("truth.json.tracked")).expect("the census");
    let mut words = raw
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let mut told = Told::new();
    while let Some(interpreter) = words.next() {
        let (kind, count) = (words.next().unwrap(), words.next().unwrap());
        let ids = words.by_ref().take(count as usize).collect();
        told.insert((interpreter as i64, kind), ids);
    }
    told
}

/// What pydbg finds: objects by index of generation, each once.
fn find(python: &Python) -> Result<(Tracked, Vec<BTreeSet<u64>>), String> {
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let mut found: Vec<BTreeSet<u64>> = Vec::new();
    let mut twice = None;
    let tracked = tracked::each(python, &pieces, &Cancel::default(), &mut |object, index| {
        let index = usize::from(index);
        if found.len() <= index {
            found.resize(index + 1, BTreeSet::new());
        }
        if !found[index].insert(object.0) {
            twice = Some(object);
        }
    });
    found.resize(tracked.generations.len(), BTreeSet::new());
    match twice {
        Some(object) => Err(format!("{object} was found twice")),
        None => Ok((tracked, found)),
    }
}

/// Says how two sets differ, with types of some of the objects.
fn difference(python: &Python, told: &BTreeSet<u64>, found: &BTreeSet<u64>) -> Result<(), String> {
    if told == found {
        return Ok(());
    }
    let names = |all: Vec<&u64>| -> Vec<String> {
        let name = |addr: &&u64| {
            let ty = python.objects.type_of(Addr(**addr));
            let name = ty.map(|ty| python.objects.full_name(&ty).to_string());
            format!(
                "{addr:#x} {}",
                name.unwrap_or_else(|fault| fault.to_string())
            )
        };
        all.iter().take(8).map(name).collect()
    };
    let missing: Vec<_> = told.difference(found).collect();
    let extra: Vec<_> = found.difference(told).collect();
    Err(format!(
        "{} told, {} found; {} missing: {:?}; {} too much: {:?}",
        told.len(),
        found.len(),
        missing.len(),
        names(missing),
        extra.len(),
        names(extra)
    ))
}

fn compare(python: &Python, fixture: &Fixture) -> Result<(), String> {
    let told = told(fixture);
    let (tracked, found) = find(python)?;
    let expect = &fixture.truth.expect;
    if let Some(generation) = tracked.generations.iter().find(|g| g.problem.is_some()) {
        return Err(format!("{generation:?}"));
    }
    for (generation, objects) in tracked.generations.iter().zip(&found) {
        if generation.objects != objects.len() as u64 {
            return Err(format!(
                "{generation:?}, but {} were told of",
                objects.len()
            ));
        }
    }
    let union = |interpreter: i64, wanted: &dyn Fn(&str) -> bool| -> BTreeSet<u64> {
        let all = tracked.generations.iter().zip(&found);
        let all = all.filter(|(g, _)| g.interpreter == interpreter && wanted(&g.name));
        all.flat_map(|(_, objects)| objects.iter().copied())
            .collect()
    };
    // Up to 3.8 all interpreters share what the main one tells, the last one to be asked.
    let shared = python.version.pair() <= (3, 8);
    for ((interpreter, kind), ids) in &told {
        if shared && *interpreter != 0 {
            continue;
        }
        let what = format!("interpreter {interpreter}, generation {kind}");
        let name = format!("generation {kind}");
        let result = match *kind {
            FROZEN => {
                let frozen = union(*interpreter, &|name| name == "permanent");
                let count = ids.iter().copied().next().unwrap_or(0);
                match frozen.len() as u64 == count {
                    true => Ok(()),
                    false => Err(format!("{count} are frozen, {} found", frozen.len())),
                }
            }
            EVERYTHING => {
                let all = union(*interpreter, &|name| name != "permanent");
                difference(python, ids, &all)
            }
            _ => difference(python, ids, &union(*interpreter, &|known| known == name)),
        };
        result.map_err(|why| format!("{what}: {why}"))?;
    }
    let frozen = union(0, &|name| name == "permanent");
    let known: BTreeSet<u64> = list(&expect["frozen"])
        .iter()
        .filter_map(|id| id.as_u64())
        .collect();
    let freezes = python.version.pair() >= (3, 7);
    let kept: BTreeSet<u64> = known.intersection(&frozen).copied().collect();
    if freezes {
        difference(python, &known, &kept).map_err(|why| format!("frozen: {why}"))?;
    }
    Ok(())
}

fn python(target: Target) -> Python {
    Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python")
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "tracked", &[]);
    let mut check = |how: &str, target: Target| {
        let result = compare(&python(target), &fixture);
        failures.check(&format!("{} {how}", interpreter.id), result);
    };
    let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
    check("live", live);
    if interpreter.id.ends_with("3.12") || interpreter.id.ends_with('t') {
        let core = target::core::open(&fixture.gcore(), &interpreter.options()).expect("a core");
        check("gcore", core);
    }
    let path = fixture.kernel_core();
    let core = target::core::open(&path, &interpreter.options()).expect("a core");
    let result = compare(&python(core), &fixture);
    failures.check(&format!("{} kernel core", interpreter.id), result);
    if interpreter.id.ends_with('t') {
        let hooked = interpreter.clone().with("PYTHONMALLOC", "debug");
        let fixture = Fixture::start(&hooked, "tracked", &[]);
        let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
        let result = compare(&python(live), &fixture);
        failures.check(&format!("{} with debug hooks", interpreter.id), result);
    }
    if interpreter.version > (3, 8) {
        return;
    }
    // Without the files no symbol tells where the lists are.
    let empty = tempfile::tempdir().unwrap();
    let options = Options {
        sysroot: Some(empty.path().to_path_buf()),
        ..interpreter.options()
    };
    let core = target::core::open(&hide_files(&path), &options).expect("a core");
    let result = compare(&python(core), &fixture);
    failures.check(&format!("{} without files", interpreter.id), result);
}

#[test]
fn what_the_collector_tracks_is_found() {
    Failures::together(interpreters(), check).finish();
}

/// In the middle of a collection: what it collects is in lists of its own.
fn compare_collecting(python: &Python, fixture: &Fixture) -> Result<(), String> {
    let (tracked, found) = find(python)?;
    if let Some(generation) = tracked.generations.iter().find(|g| g.problem.is_some()) {
        return Err(format!("{generation:?}"));
    }
    let all = tracked.generations.iter().zip(&found);
    let all = all.filter(|(generation, _)| generation.name != "permanent");
    let all = all
        .flat_map(|(_, objects)| objects.iter().copied())
        .collect();
    let mut told = told(fixture).remove(&(0, EVERYTHING)).unwrap_or_default();
    let ids = |key: &str| -> Vec<u64> {
        let listed = list(&fixture.truth.expect[key]).iter();
        listed.filter_map(|id| id.as_u64()).collect()
    };
    told.extend(ids("garbage"));
    told.extend(ids("references"));
    difference(python, &told, &all)
}

fn check_collecting(interpreter: &Interpreter, failures: &mut Failures) {
    for args in [&[][..], &["thread"]] {
        let mut fixture = Fixture::start(interpreter, "tracked_collecting", args);
        let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
        let result = compare_collecting(&python(live), &fixture);
        failures.check(&format!("{} {args:?} live", interpreter.id), result);
        let path = fixture.kernel_core();
        let core = target::core::open(&path, &interpreter.options()).expect("a core");
        let result = compare_collecting(&python(core), &fixture);
        failures.check(&format!("{} {args:?} kernel core", interpreter.id), result);
    }
}

/// At any moment of collections that go on and on.
fn check_loop(interpreter: &Interpreter, failures: &mut Failures) {
    const LOOKS: usize = 8;
    let mut fixture = Fixture::start(interpreter, "tracked_collecting", &["loop"]);
    for _ in 0..LOOKS {
        let live = target::live::attach(fixture.pid(), &interpreter.options()).expect("attach");
        let result = compare_collecting(&python(live), &fixture);
        failures.check(&format!("{} loop, live", interpreter.id), result);
    }
    let path = fixture.kernel_core();
    let core = target::core::open(&path, &interpreter.options()).expect("a core");
    let result = compare_collecting(&python(core), &fixture);
    failures.check(&format!("{} loop, kernel core", interpreter.id), result);
}

#[test]
fn what_is_tracked_is_found_at_any_moment_of_a_collection() {
    Failures::together(interpreters(), check_loop).finish();
}

#[test]
fn what_is_being_collected_is_found() {
    Failures::together(interpreters(), check_collecting).finish();
}

/// The words of one object's links that are overwritten, and with what; 0 is the link forth, 1 the
/// link back.
type Damage = &'static [(u64, u64)];

/// Kinds of damage to the links of one object.
const DAMAGES: [(&str, Damage); 5] = [
    ("forth is NULL", &[(0, 0)]),
    ("forth is garbage", &[(0, 0x4141_4141_4141_4141)]),
    ("back is garbage", &[(1, 0xdead_beef)]),
    ("both are garbage", &[(0, 0x17), (1, !0)]),
    ("forth is the object's own", &[(0, OWN)]),
];

/// Stands for the address of the links themselves.
const OWN: u64 = 1;

/// A core whose links were overwritten: what is whole is found, once, and the rest is told.
fn compare_damaged(
    path: &std::path::Path,
    interpreter: &Interpreter,
    told: &BTreeSet<u64>,
    missing: usize,
) -> Result<(), String> {
    let core = target::core::open(path, &interpreter.options()).expect("a core");
    let python = python(core);
    let (tracked, found) = find(&python)?;
    let all = tracked.generations.iter().zip(&found);
    let all = all.filter(|(g, _)| g.interpreter == 0 && g.name != "permanent");
    let all: BTreeSet<u64> = all
        .flat_map(|(_, objects)| objects.iter().copied())
        .collect();
    if !tracked.generations.iter().any(|g| g.problem.is_some()) {
        return Err("nothing is said".into());
    }
    match all.is_subset(told) && told.len() - all.len() <= missing {
        true => Ok(()),
        false => difference(&python, told, &all).map_err(|why| format!("{why}; {tracked:?}")),
    }
}

fn check_damaged(interpreter: &Interpreter, failures: &mut Failures) {
    use std::os::unix::fs::FileExt;
    let mut fixture = Fixture::start(interpreter, "tracked", &[]);
    let path = fixture.kernel_core();
    let told = told(&fixture).remove(&(0, EVERYTHING)).expect("told");
    let core = CoreFile::read(&path);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the core");
    let python = python(target::core::open(&path, &interpreter.options()).expect("a core"));
    let head = u64::from(python.layout.kinds.gc_head);
    let objects: Vec<u64> = told.iter().copied().collect();
    let write = |at: u64, bytes: &[u8]| file.write_all_at(bytes, at).expect("write");
    for (index, (kind, damage)) in DAMAGES.iter().enumerate() {
        // One object is hidden from neither side; of many, those between them are.
        for (count, missing) in [(1, 0), (40, objects.len())] {
            let step = objects.len() / (count + 1);
            let nodes = (1..=count).map(|number| objects[number * step + index] - head);
            let places: Vec<(u64, u64, u64)> = nodes
                .flat_map(|node| {
                    let word = move |(word, value): &(u64, u64)| {
                        let value = if *value == OWN { node } else { *value };
                        (node + word * 8, value)
                    };
                    damage.iter().map(word)
                })
                .map(|(at, value)| (core.offset(at) as u64, value, core.peek(at).unwrap()))
                .collect();
            for (at, value, _) in &places {
                write(*at, &value.to_le_bytes());
            }
            let result = compare_damaged(&path, interpreter, &told, missing);
            failures.check(&format!("{} {kind}, {count} times", interpreter.id), result);
            for (at, _, before) in places {
                write(at, &before.to_le_bytes());
            }
        }
    }
}

#[test]
fn damaged_links_hide_no_more_than_they_must() {
    let with_gil = interpreters().iter().filter(|known| known.has("gil"));
    let few: Vec<&Interpreter> = with_gil.step_by(4).collect();
    Failures::together(&few, |interpreter, failures| {
        check_damaged(interpreter, failures)
    })
    .finish();
}
