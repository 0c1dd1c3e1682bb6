//! The readers of containers give as many items as Python counts.

use crate::harness::{Failures, Fixture, interpreters};
use pydbg::Addr;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::object::Objects;
use pydbg::target::core;
use std::sync::Arc;

/// How many items the reader of this kind of value gives; `None` for what has no items that are
/// objects.
fn items(objects: &Objects, addr: Addr) -> Option<usize> {
    if let Ok(items) = objects.dict_iter(addr) {
        return Some(items.filter(Result::is_ok).count());
    }
    let items = objects.set_items(addr, usize::MAX);
    let items = items.or_else(|_| objects.items(addr, usize::MAX));
    Some(items.ok()?.len())
}

#[test]
fn every_builtin_has_the_length_that_python_says() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(interpreter, "values", &[]);
        let truth = fixture.truth.probes["lengths"].clone();
        let core = core::open(&fixture.kernel_core(), &interpreter.options()).expect("a core");
        let python = Python::find(Arc::new(Process::new(Arc::new(core)))).expect("Python");
        let objects = &python.objects;
        let namespace = python.module("__main__").expect("__main__");
        let values = objects.dict_get(namespace, "VALUES").expect("a namespace");
        let mut seen = 0;
        for (name, addr) in objects.dict_items(values.expect("VALUES")).expect("items") {
            let name = objects.text(name, 200).expect("a name").value;
            let Some(expected) = truth[&name].as_u64() else {
                continue;
            };
            seen += 1;
            let (len, items) = (objects.len(addr), items(objects, addr));
            let wrong = len != Ok(expected) || items.is_some_and(|n| n as u64 != expected);
            let result = match wrong {
                true => Err(format!("{len:?}, {items:?} items; Python: {expected}")),
                false => Ok(()),
            };
            failures.check(&format!("{} {name}", interpreter.id), result);
        }
        assert!(seen > 100, "{}: {seen} lengths", interpreter.id);
    }
    failures.finish();
}
