//! An expression of any text, in both languages, over a process that holds nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pydbg::expr::{Evaluator, Lookup, Scope, Value};
use pydbg::python::layout::Layout;
use pydbg::python::object::Objects;
use pydbg::python::value::Limits;
use pydbg::target::synth::TargetBuilder;
use std::sync::Arc;

struct Nothing;

impl Scope for Nothing {
    fn lookup(&self, _name: &str) -> Lookup {
        Lookup::Missing
    }

    fn builtin(&self, _name: &str) -> Option<Value> {
        None
    }

    fn module(&self, _name: &str) -> Option<Value> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn locals(&self) -> Vec<(String, Value)> {
        Vec::new()
    }
}

fuzz_target!(|text: &str| {
    let target = TargetBuilder::new().build();
    for version in [(2, 7), (3, 14)] {
        let Some(layout) = Layout::all_tables().find(|layout| layout.version == version) else {
            continue;
        };
        let objects = Objects::new(Arc::clone(&target.memory), Arc::new(layout.clone()));
        let evaluator = Evaluator::new(&objects, &Nothing, &[]);
        if let Ok(answer) = evaluator.evaluate(text) {
            let _ = evaluator.show(&answer.value, Limits::default());
        }
        let _ = evaluator.complete(text, text.len());
    }
});
