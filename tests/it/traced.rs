//! Where memory was allocated, against tracemalloc itself.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::tracemalloc::{Line, SiteBy, Traces, Untraced};
use pydbg::target::{self, Options};
use serde_json::{Value, json};
use std::sync::Arc;

/// Of six objects tracemalloc finds at least so many.
const LEAST_KNOWN: usize = 3;

fn lines(traceback: &[Line]) -> Value {
    let line = |line: &Line| json!([line.file, line.line]);
    traceback.iter().map(line).collect()
}

/// The large sites of the fixture's own file, by line and by traceback.
fn sites(traces: &Traces<'_>, truth: &Value) -> Result<(), String> {
    for (by, name) in [(SiteBy::Line, "line"), (SiteBy::Traceback, "traceback")] {
        let found = traces.sites(by, usize::MAX);
        let rows = list(&truth[name]);
        if found.missing > 0 || rows.is_empty() {
            return Err(format!("{} are missing of {}", found.missing, found.count));
        }
        for row in rows {
            let told = |site: &&_| same(site, row);
            if !found.sites.iter().any(|site| told(&site)) {
                let first: Vec<_> = found.sites.iter().take(8).collect();
                return Err(format!("{row} by {name} is not in {first:?}"));
            }
        }
    }
    Ok(())
}

fn same(site: &pydbg::python::tracemalloc::Site, row: &Value) -> bool {
    let told = json!([lines(&site.traceback), site.size, site.count]);
    list(&told) == &list(row)[..3]
}

fn objects(traces: &Traces<'_>, truth: &[Value]) -> Result<(), String> {
    // CPython 3.11 itself misses objects that have a dictionary, as it looks for them elsewhere.
    let known: Vec<&Value> = truth.iter().filter(|row| !row[1].is_null()).collect();
    if known.len() < LEAST_KNOWN {
        return Err(format!("only {known:?} are traced"));
    }
    for row in known {
        let address = Addr(row[0].as_u64().unwrap_or(0));
        let found = traces.at(address).map(|found| lines(&found.traceback));
        if found.as_ref() != Some(&row[1]) {
            return Err(format!("{row}: {:?}", traces.at(address)));
        }
    }
    Ok(())
}

/// Whether the tables are found by symbols only, which this interpreter lacks.
fn is_hidden(interpreter: &Interpreter) -> bool {
    interpreter.id == "debian-3.11"
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let Some(fixture) = Fixture::start_or_skip(interpreter, "traced", &[]) else {
        return;
    };
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    let process = Arc::new(Process::new(Arc::new(target)));
    let python = Python::find(process).expect("Python");
    let expect = &fixture.truth.expect;
    let result = match Traces::read(&python) {
        Ok(traces) => {
            let found = sites(&traces, expect);
            found.and_then(|()| objects(&traces, list(&expect["objects"])))
        }
        Err(Untraced::NotFound) if is_hidden(interpreter) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    failures.check(&interpreter.id, result);
}

#[test]
fn allocation_sites_are_those_of_tracemalloc() {
    Failures::together(interpreters(), check).finish();
}

/// The commands on a core, and where nothing is traced.
#[test]
fn commands_tell_sites() {
    let Some(interpreter) = interpreters().last() else {
        return;
    };
    let Some(mut fixture) = Fixture::start_or_skip(interpreter, "traced", &[]) else {
        return;
    };
    let core = fixture.kernel_core();
    let expect = &fixture.truth.expect;
    let path = core.to_string_lossy();
    let own = expect["own"].as_str().unwrap_or("");
    let object = Addr(expect["objects"][0][0].as_u64().unwrap_or(0));
    let site = format!("alloc-site {object}");
    let lines = [
        "tracemalloc",
        "tracemalloc --by file -n 1",
        "tracemalloc --by traceback",
        &site,
    ];
    let run = Pydbg::run(&["core", &path, "-q"], &lines);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&run.stderr);
    for row in list(&expect["line"]) {
        let line = &row[0][0][1];
        let figures = row[3].as_str().unwrap_or("?");
        let wanted = format!("{own}:{line}: {figures}\n");
        assert!(
            said.contains(&wanted),
            "{wanted} is not in {said}{complaint}"
        );
    }
    let wanted = format!("{own}:0: size=");
    assert!(
        said.contains(&wanted),
        "{wanted} is not in {said}{complaint}"
    );
    assert!(
        said.contains("allocated at (most recent call last)"),
        "{said}{complaint}"
    );
    let plain = Fixture::start(interpreter, "repeats", &[]);
    let error = Pydbg::live(plain.pid(), &[], "tracemalloc").expect_err("nothing is traced");
    assert!(error.contains("tracemalloc is not tracing"), "{error}");
}
