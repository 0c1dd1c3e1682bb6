//! Where the memory went: of programs whose memory went one way each, live and from a core, the
//! table adds up, and the verdict is what was done.

use crate::harness::corefile::CoreFile;
use crate::harness::{
    Failures, Fixture, Interpreter, Pydbg, every_core, interpreters, other_mallocs,
};
use pydbg::findings;
use pydbg::heap::Heap;
use pydbg::memory::Memory;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Target};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const SHAPES: [&str; 9] = [
    "growing_list",
    "buffers",
    "exception",
    "cycles",
    "leaked_references",
    "native",
    "arenas",
    "pools",
    "healthy",
];

/// The resident set as the kernel has it now, in bytes.
fn resident(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps")).expect("smaps");
    let lines = text.lines().filter_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = lines.filter_map(|line| line.trim().strip_suffix(" kB"));
    let sum: u64 = kilobytes.map(|text| text.parse::<u64>().expect("kB")).sum();
    sum * 1024
}

/// The bytes of memory that a core has, by its program headers.
fn dumped(core: &Path) -> u64 {
    let core = CoreFile::read(core);
    core.loads().map(|load| load.size as u64).sum()
}

/// The table within one percent of what it has to add up to, and the verdict.
fn check_target(target: Target, whole: impl Fn() -> u64, expect: &Value) -> Result<(), String> {
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let heap = Arc::new(Heap::of(&Arc::new(python)).expect("a heap"));
    let memory = Memory::of(&heap).expect("the memory");
    // What was read of a live process may have brought pages of files into its memory.
    let (sum, whole) = (memory.sum(), whole());
    if sum.abs_diff(whole) * 100 > whole {
        return Err(format!("adds up to {sum}, not {whole}: {:?}", memory.rows));
    }
    let found = findings::of_memory(&heap, &memory);
    let kinds: Vec<Value> = found.iter().map(|finding| json!(finding.kind)).collect();
    let first = kinds.first().unwrap_or(&Value::Null);
    if *first != expect["verdict"] {
        let words: Vec<&String> = found.iter().map(|finding| &finding.words).collect();
        return Err(format!(
            "{words:?}, not {}: {:?}",
            expect["verdict"], memory.rows
        ));
    }
    if let (Some(bytes), Some(finding)) = (expect["bytes"].as_u64(), found.first())
        && finding.bytes < bytes / 100 * 99
    {
        return Err(format!(
            "{} has {}, not {bytes}",
            finding.words, finding.bytes
        ));
    }
    if let (Some(path), Some(finding)) = (expect["path"].as_str(), found.first())
        && !format!("{finding:?}").contains(path)
    {
        return Err(format!("{path} is not in {finding:?}"));
    }
    match memory.problems.as_slice() {
        [] => Ok(()),
        problems => Err(problems.join("; ")),
    }
}

fn check((turn, interpreter): &(usize, &Interpreter), failures: &mut Failures) {
    let options = interpreter.options();
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let mut fixture = Fixture::start(interpreter, "memory_shapes", &[shape]);
        let expect = fixture.truth.expect.clone();
        let live = target::live::attach(fixture.pid(), &options).expect("attach");
        let pid = fixture.pid();
        let whole = || resident(pid);
        let what = format!("{} {shape}", interpreter.id);
        failures.check(&format!("{what} live"), check_target(live, whole, &expect));
        // Each shape has a core of every third interpreter, each interpreter of every third shape.
        if number % 3 != turn % 3 && !every_core() {
            continue;
        }
        let core = fixture.kernel_core();
        let bytes = dumped(&core);
        let core = target::core::open(&core, &options).expect("the core");
        failures.check(
            &format!("{what} core"),
            check_target(core, || bytes, &expect),
        );
    }
}

/// With another malloc, that one is named, objects have their blocks, and only where most is in its
/// memory it is the verdict.
fn check_other(interpreter: &Interpreter, failures: &mut Failures) {
    for (name, path) in other_mallocs() {
        let interpreter = interpreter.clone().with("LD_PRELOAD", &path);
        for shape in ["buffers", "native"] {
            let fixture = Fixture::start(&interpreter, "memory_shapes", &[shape]);
            let pid = fixture.pid();
            let live = target::live::attach(pid, &interpreter.options()).expect("attach");
            let mut expect = fixture.truth.expect.clone();
            if shape == "native" {
                expect["verdict"] = json!("other-malloc");
            }
            let what = format!("{} {name} {shape}", interpreter.id);
            failures.check(&what, check_target(live, || resident(pid), &expect));
            failures.check(&what, names(pid, name, &path));
        }
    }
}

/// Whether `memory` says who serves malloc.
fn names(pid: i32, name: &str, path: &str) -> Result<(), String> {
    let answer = Pydbg::live(pid, &[], "memory")?;
    let server = &answer["data"]["other_malloc"];
    let real = std::fs::canonicalize(path).expect("a library");
    let told = server["path"].as_str().map(std::fs::canonicalize);
    let right = told.is_some_and(|told| told.is_ok_and(|told| told == real));
    match server["library"] == *name && right {
        true => Ok(()),
        false => Err(format!("malloc is served by {server}")),
    }
}

#[test]
fn another_malloc_is_named() {
    let with = ["pyenv-2.7", "pyenv-3.12"];
    let all = interpreters().iter();
    let some: Vec<_> = all
        .filter(|one| with.contains(&one.id.as_str()))
        .cloned()
        .collect();
    if !some.is_empty() {
        Failures::together(&some, check_other).finish();
    }
}

#[test]
fn the_table_adds_up_and_the_verdict_is_what_was_done() {
    let all: Vec<(usize, &Interpreter)> = interpreters().iter().enumerate().collect();
    Failures::together(&all, check).finish();
}
