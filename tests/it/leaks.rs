//! Suspects, and growth between two dumps, against a process that makes its containers grow and says
//! what is in each.

use crate::harness::evaluator::evaluate;
use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use crate::heap_paths::heap;
use pydbg::Addr;
use pydbg::heap::{Accused, Growth, Heap, Suspect, SuspectBounds};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Low ones, which a program without a leak must not reach either.
const BOUNDS: SuspectBounds = SuspectBounds {
    share: 4,
    floor: 3 << 18,
    most: 20,
};

/// The owners that have the same path in every version.
const PATHS: &[(&str, &str)] = &[
    ("app.Event", "app.events"),
    ("app.Entry", "app.cache.entries"),
    ("function", "app.callbacks"),
    ("app.Message", "app.recent"),
    ("app.Record", "app.table"),
];

/// What one container has, as the process says.
#[derive(Debug)]
struct Told {
    kind: String,
    form: String,
    container: Addr,
    length: u64,
    own: u64,
}

/// Makes the containers grow; what is in each then, those with the largest objects first.
fn grow(fixture: &Fixture, arguments: &str) -> Vec<Told> {
    let file = fixture.dir().join("grown");
    let _ = std::fs::remove_file(&file);
    let call = format!("sys.modules['__main__'].grow({arguments})");
    let answer = evaluate(fixture, &[call]);
    assert!(answer[0].is_ok(), "{answer:?}");
    let text = std::fs::read_to_string(file).expect("what has grown");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let rows = rows.iter().map(|row| Told {
        kind: text(&row[0]),
        form: text(&row[1]),
        container: Addr(number(&row[2])),
        length: number(&row[3]),
        own: number(&row[4]),
    });
    rows.collect()
}

fn of_core(core: &Path) -> Heap {
    let target = target::core::open(core, &Options::default()).expect("the core");
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    Heap::of(&Arc::new(python)).expect("a heap")
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, truth: T) -> Result<(), String> {
    match found == truth {
        true => Ok(()),
        false => Err(format!("{what}: {found:?}, truth {truth:?}")),
    }
}

/// A suspect is a container with what the process says is in it.
fn is_told(suspect: &Suspect, told: &Told) -> Result<(), String> {
    let Accused::Container(container) = &suspect.who else {
        return Err(format!("{:?} for {told:?}", suspect.who));
    };
    let kind = suspect.kinds.first().ok_or("nothing has gathered")?;
    let what = &told.kind;
    same(what, container.object.address, told.container)?;
    same(what, &kind.kind, &told.kind)?;
    same(what, container.form.words(), &told.form)?;
    same(what, container.length, Some(told.length))?;
    same(what, (kind.count, kind.own), (told.length, told.own))?;
    same(what, suspect.keywords.len(), 3)
}

/// Each container is a suspect, the largest first, and there is no other one; the expressions that
/// lead to them.
fn suspects(heap: &Heap, truth: &[Told]) -> Result<Vec<String>, String> {
    let found = heap.suspects(BOUNDS).map_err(|why| why.to_string())?;
    if found.suspects.len() != truth.len() {
        return Err(format!(
            "{} of {}: {found:?}",
            found.suspects.len(),
            truth.len()
        ));
    }
    let mut expressions = Vec::new();
    for (suspect, told) in found.suspects.iter().zip(truth) {
        is_told(suspect, told)?;
        let path = suspect.path.as_ref().ok_or("no path")?;
        let whole = path.chain.reaches == path.objects.len();
        let expression = path.chain.expression.as_ref().filter(|_| whole);
        expressions.push(expression.ok_or_else(|| path.chain.text.clone())?.clone());
    }
    Ok(expressions)
}

/// In a dump where little has gathered there is no suspect.
fn nothing(old: &Heap) -> Result<(), String> {
    let found = old.suspects(BOUNDS).map_err(|why| why.to_string())?;
    match found.suspects.is_empty() {
        true => Ok(()),
        false => Err(format!("{:?}", found.suspects)),
    }
}

/// Kinds and owners have grown by what was added, and suspects know what they were.
fn growth(old: &Heap, new: &Heap, before: &[Told], now: &[Told]) -> Result<(), String> {
    let growth = Growth::between(old, new, usize::MAX);
    let mut found = new.suspects(BOUNDS).map_err(|why| why.to_string())?;
    found.since(new, old);
    for (before, now) in before.iter().zip(now) {
        let what = &now.kind;
        let by = |old: u64, new: u64| new as i64 - old as i64;
        let row = growth.kinds.iter().find(|row| row.kind == *what);
        let row = row.ok_or_else(|| format!("no row {what}"))?;
        // Functions of others come and go.
        if what.starts_with("app.") {
            same(what, row.count, by(before.length, now.length))?;
            same(what, row.bytes, by(before.own, now.own))?;
        }
        let owner = growth
            .owners
            .iter()
            .find(|row| row.address == now.container);
        let owner = owner.ok_or_else(|| format!("no owner of {what}: {:?}", growth.owners))?;
        let retained = |heap: &Heap| heap.id(now.container).map(|id| heap.retained.of(id));
        same(what, (owner.old, owner.new), (retained(old), retained(new)))?;
        if let Some((_, path)) = PATHS.iter().find(|(kind, _)| kind == what) {
            same(what, &*owner.path, *path)?;
        }
        let suspect = found.suspects.iter().find(|one| is_told(one, now).is_ok());
        let known = suspect.and_then(|suspect| suspect.before);
        let known = known.ok_or_else(|| format!("{what} has no past"))?;
        same(what, known.length, Some(before.length))?;
        same(what, Some(known.retained), retained(old))?;
    }
    Ok(())
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let id = &interpreter.id;
    let fixture = Fixture::start(&interpreter.for_gcore(), "leaking", &[]);
    let before = grow(&fixture, "100");
    let old = of_core(&fixture.gcore());
    let now = grow(&fixture, "400");
    let new = heap(&fixture);
    failures.check(id, nothing(&old));
    failures.check(id, growth(&old, &new, &before, &now));
    let expressions = suspects(&new, &now);
    // The process runs on.
    drop(new);
    let led = expressions.and_then(|expressions| {
        let answers = evaluate(&fixture, &expressions);
        for ((answer, told), expression) in answers.iter().zip(&now).zip(&expressions) {
            same(expression, answer, &Ok(told.container.0))?;
        }
        Ok(())
    });
    failures.check(id, led);
}

#[test]
fn each_container_that_grows_is_a_suspect() {
    Failures::together(interpreters(), check).finish();
}

/// The commands, in words and in JSON.
#[test]
fn commands_tell_leaks_and_growth() {
    let Some(interpreter) = interpreters().first() else {
        return;
    };
    let mut fixture = Fixture::start(&interpreter.for_gcore(), "leaking", &[]);
    let core = fixture.gcore();
    let core = core.display().to_string();
    let told = grow(&fixture, "3000, 'app.Event'");
    let pid = fixture.pid().to_string();
    let lines = [
        "leaks".to_owned(),
        format!("leaks --since {core}"),
        "leaks --share 99".to_owned(),
        format!("heap diff {core} -n 3"),
        format!("heap diff {core} -n 3 --reverse"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let run = Pydbg::run(&["attach", &pid, "-q"], &lines);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    println!("{said}{}", String::from_utf8_lossy(&run.stderr));
    for wanted in [
        "3,000 app.Event in the list 0x",
        "sys.modules['app'].events  from module app",
        "from 0 to 3,000 items",
        "No suspects: nowhere have ",
        "+3000 ",
        "  app.events  list 0x",
        "app.Event  new\n",
        "app.Event  gone\n",
        "more kinds left out; see -n",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    let document = Pydbg::live(fixture.pid(), &[], "leaks").expect("JSON");
    let suspect = &document["data"]["suspects"][0];
    assert_eq!(suspect["suspect"], "container");
    assert_eq!(suspect["object"]["address"], told[0].container.to_string());
    assert_eq!(suspect["keywords"][1], "list");
    let line = format!("heap diff -n 0 {core}");
    let document = Pydbg::live(fixture.pid(), &[], &line).expect("JSON");
    let owners = list(&document["data"]["owners"]);
    assert_eq!(owners[0]["path"], "app.events");
    let before_death = document["data"].clone();
    let call = "sys.modules['__main__'].hold_others(2000)".to_owned();
    assert!(evaluate(&fixture, &[call])[0].is_ok());
    let run = Pydbg::run(&["attach", &pid, "-q"], &["leaks --share 5"]);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    for wanted in [
        "a chain of 2,000 app.Linked, the first 0x",
        "sys.modules['app'].head  from module app",
        "2,000 app.Shared in the ",
        "but others hold them, too",
        "sys.modules['app'].blob  from module app",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    // The kernel's core of the process tells the same as the process did, but for what it has done since.
    let last = fixture.kernel_core();
    let document = Pydbg::core(&last, &[], &line).expect("JSON");
    let of_events = |data: &Value| {
        let owners = list(&data["owners"]).iter();
        let events = owners.filter(|owner| owner["path"] == "app.events");
        events.cloned().collect::<Vec<_>>()
    };
    assert_eq!(of_events(&document["data"]), of_events(&before_death));
}
