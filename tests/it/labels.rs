//! How objects refer to each other: each path that pydbg writes as an expression is evaluated in the
//! very process, and must be the object at its end.

use crate::harness::evaluator::evaluate;
use crate::harness::{Failures, Fixture, Interpreter, interpreters, list};
use pydbg::Addr;
use pydbg::heap::label::{Chain, Start, Via, vias};
use pydbg::heap::roots::{Part, Root, RootKind, Roots};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::synth_random::Random;
use pydbg::target::{self, Options};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Paths that Python has no expression for, to their end.
const WITHOUT: &[&str] = &[
    "chain",
    "deep_list",
    "deep_set",
    "own_weak",
    "proxy",
    "slot_covered",
];

/// Random paths on each interpreter.
const WALKS: u64 = 500;

/// The most steps of one.
const LONGEST: u64 = 12;

/// A path that was written, and the objects on it.
struct Written {
    name: String,
    chain: Chain,
    objects: Vec<Addr>,
}

fn write(name: &str, python: &Python, start: &Start, objects: Vec<Addr>) -> Written {
    Written {
        name: name.to_owned(),
        chain: Chain::write(&python.objects, start, &objects),
        objects,
    }
}

fn attach(fixture: &Fixture) -> Python {
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python")
}

/// The paths that the fixture tells.
fn told(python: &Python, roots: &Roots, fixture: &Fixture) -> Vec<Written> {
    let of = |row: &Value| {
        let name = row[0].as_str().unwrap_or_default();
        let ids = list(&row[1]).iter().filter_map(Value::as_u64);
        let objects: Vec<Addr> = ids.map(Addr).collect();
        let is_start = |root: &&Root| {
            let named = |number: u32, wanted: &str| {
                let known = roots.name(number);
                known.is_some_and(|name| **name == *wanted)
            };
            let local = name.strip_prefix("frame_");
            let held = match (root.kind, local) {
                (RootKind::Module { name, .. }, None) => named(name, "app"),
                (RootKind::Frame { part, .. }, Some(local)) => match part {
                    Part::Variable(name) | Part::Cell(name) => named(name, local),
                    Part::Globals => local == "globals",
                    _ => false,
                },
                _ => false,
            };
            held && Some(root.object) == objects.first().copied()
        };
        let start = roots.all.iter().find(is_start);
        let start = start.unwrap_or_else(|| panic!("{name} has no root"));
        write(name, python, &Start::of(python, roots, start), objects)
    };
    list(&fixture.truth.expect["chains"])
        .iter()
        .map(of)
        .collect()
}

fn referents(python: &Python, from: Addr) -> Vec<Addr> {
    let mut found = Vec::new();
    let _ = python.objects.referents(from, &mut |referent| {
        found.push(referent);
        match found.len() < 5000 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    found
}

/// Random paths from roots, and what is wrong with the ways between their objects.
fn walks(python: &Python, roots: &Roots, failures: &mut Failures, id: &str) -> Vec<Written> {
    let mut numbers = Random::new(0x5eed_0001);
    let mut random = |below: usize| numbers.below(below);
    let is_app = |root: &&Root| {
        let RootKind::Module { name, .. } = root.kind else {
            return false;
        };
        roots.name(name).is_some_and(|name| **name == *"app")
    };
    let own = roots.all.iter().find(is_app).expect("the fixture's module");
    let certain: Vec<&Root> = roots.all.iter().filter(|root| root.certain).collect();
    let mut written = Vec::new();
    for walk in 0..WALKS {
        // Every second path starts where all kinds of objects are.
        let root = match walk % 2 {
            0 => certain[random(certain.len())],
            _ => own,
        };
        let mut objects = vec![root.object];
        for _ in 0..=walk % LONGEST {
            let from = *objects.last().expect("one");
            let next = referents(python, from);
            if next.is_empty() {
                break;
            }
            // Most of what there is are strings that lead nowhere.
            let leaf = |to: &Addr| {
                python
                    .objects
                    .type_of(*to)
                    .is_ok_and(|t| python.objects.is_leaf(&t))
            };
            let tries: Vec<Addr> = (0..3).map(|_| next[random(next.len())]).collect();
            let to = tries
                .iter()
                .copied()
                .find(|to| !leaf(to))
                .unwrap_or(tries[0]);
            let ways = vias(&python.objects, from, to, 3);
            // What is no object has no way that could be wrong, and does no harm.
            vias(&python.objects, Addr(to.0 + 8), from, 3);
            let known = !ways.is_empty() && !ways.contains(&Via::Unknown);
            let ty = python.objects.type_of(from).map(|ty| ty.name.clone());
            failures.check(
                id,
                match known {
                    true => Ok(()),
                    false => Err(format!("{from} of {ty:?} refers to {to} by {ways:?}")),
                },
            );
            objects.push(to);
        }
        written.push(write(
            "walk",
            python,
            &Start::of(python, roots, root),
            objects,
        ));
    }
    written
}

/// Evaluates all paths and compares.
fn check(interpreter: &Interpreter, fixture: &Fixture, all: &[Written], failures: &mut Failures) {
    // Its own frames are others while it evaluates.
    let threads = &fixture.truth.threads;
    let evaluator = threads
        .iter()
        .find(|thread| thread.name.as_deref() == Some("evaluator"));
    let own = format!("[{}]", evaluator.expect("a thread of that name").ident);
    let all: Vec<_> = all
        .iter()
        .filter_map(|written| Some((written, written.chain.expression.clone()?)))
        .filter(|(_, text)| !text.contains(&own))
        .collect();
    let expressions: Vec<String> = all.iter().map(|(_, text)| text.clone()).collect();
    let answers = evaluate(fixture, &expressions);
    for ((written, text), answer) in all.iter().zip(answers) {
        let wanted = written.objects.get(written.chain.reaches.wrapping_sub(1));
        let result = match answer {
            Ok(address) if Some(Addr(address)) == wanted.copied() => Ok(()),
            answer => Err(format!(
                "{}: {text} is {answer:x?}, not {wanted:?}",
                written.name
            )),
        };
        failures.check(&interpreter.id, result);
        let whole = written.chain.reaches == written.objects.len();
        let must = written.name != "walk" && !WITHOUT.contains(&&*written.name);
        let result = match whole || !must {
            true => Ok(()),
            false => Err(format!(
                "{} ends early: {}",
                written.name, written.chain.text
            )),
        };
        failures.check(&interpreter.id, result);
        let rest = written.chain.rest.len() + written.chain.left_out;
        let result = match written.chain.reaches + rest == written.objects.len() {
            true => Ok(()),
            false => Err(format!(
                "{}: steps are missing: {:?}",
                written.name, written.chain
            )),
        };
        failures.check(&interpreter.id, result);
    }
}

#[test]
fn expressions_lead_to_the_very_objects() {
    let failures = Failures::together(interpreters(), |interpreter, failures| {
        let fixture = Fixture::start(interpreter, "paths", &[]);
        let python = attach(&fixture);
        let roots = Roots::precise(&python);
        let mut all = told(&python, &roots, &fixture);
        all.extend(walks(&python, &roots, failures, &interpreter.id));
        drop(python);
        let whole = all.iter().filter(|w| w.chain.reaches == w.objects.len());
        println!(
            "{}: {} of {} whole",
            interpreter.id,
            whole.count(),
            all.len()
        );
        check(interpreter, &fixture, &all, failures);
    });
    failures.finish();
}
