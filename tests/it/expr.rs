//! `py-print` says what Python itself says to the same expressions in the same frame: on each
//! interpreter, live and from cores.

use crate::harness::{Failures, Fixture, interpreters};
use pydbg::expr::{Error, Evaluator, FrameScope};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::python::value::Limits;
use pydbg::target::{self, Options, Target};
use serde_json::Value;
use std::sync::Arc;

/// Errors whose text is the same in every version, but for what the fixture tells.
const SAME_TEXT: &[&str] = &["NameError", "KeyError", "IndexError", "AttributeError"];

/// Whether an answer is Python's.
fn judge(answer: Result<String, Error>, truth: &Value) -> Result<(), String> {
    let expected = truth["repr"].as_str();
    match (answer, expected) {
        (Ok(text), Some(expected)) if text == expected => Ok(()),
        (Ok(text), _) => Err(format!("{text}\n    Python: {truth}")),
        (Err(error), Some(_)) => Err(format!("{error}\n    Python: {truth}")),
        (Err(error), None) => {
            let class = format!("{:?}", error.class);
            let text = !SAME_TEXT.contains(&class.as_str()) || truth["text"] == *error.message;
            match truth["error"] == *class && text {
                true => Ok(()),
                false => Err(format!("{error}\n    Python: {truth}")),
            }
        }
    }
}

fn compare(target: Target, truth: &Value, how: &str, failures: &mut Failures) {
    let process = Arc::new(Process::new(Arc::new(target)));
    let python = match Python::find(process) {
        Ok(python) => Arc::new(python),
        Err(why) => return failures.check(how, Err(why.to_string())),
    };
    let stacks = python.stacks();
    let frames = stacks.iter().flat_map(|(_, stack)| &stack.frames);
    let Some(frame) = frames.into_iter().find(|frame| *frame.function == *"work") else {
        return failures.check(how, Err("the frame is not found".into()));
    };
    let scope = FrameScope::of(&python, frame);
    let limits = Limits {
        attributes: false,
        ..Limits::NONE
    };
    let all = truth.as_object().into_iter().flatten();
    let mut seen = 0;
    for (text, truth) in all {
        seen += 1;
        let evaluator = Evaluator::new(&python.objects, &scope, &[]);
        let answer = evaluator.evaluate(text);
        let answer = answer.map(|answer| evaluator.show(&answer.value, limits).text);
        failures.check(&format!("{how}: {text}"), judge(answer, truth));
    }
    let enough = (seen >= 120).then_some(());
    failures.check(how, enough.ok_or(format!("only {seen} expressions")));
}

#[test]
fn expressions_mean_what_they_mean_in_python() {
    let mut failures = Failures::default();
    for interpreter in interpreters() {
        let mut fixture = Fixture::start(&interpreter.for_gcore(), "expressions", &[]);
        let truth = fixture.truth.probes["expressions"].clone();
        let id = &interpreter.id;
        match target::live::attach(fixture.pid(), &Options::default()) {
            Ok(live) => compare(live, &truth, &format!("{id} live"), &mut failures),
            Err(why) => failures.check(id, Err(why.to_string())),
        }
        let options = interpreter.options();
        for (how, core) in [
            ("gcore", fixture.gcore()),
            ("kernel", fixture.kernel_core()),
        ] {
            match target::core::open(&core, &options) {
                Ok(core) => compare(core, &truth, &format!("{id} {how}"), &mut failures),
                Err(why) => failures.check(id, Err(why.to_string())),
            }
        }
    }
    failures.finish();
}
