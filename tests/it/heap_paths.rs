//! Why objects are alive: each path that pydbg prints as an expression is evaluated in the very
//! process, and must be the object that was asked for.

use crate::harness::evaluator::evaluate;
use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::Addr;
use pydbg::heap::Heap;
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::synth_random::Random;
use pydbg::target::{self, Options};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Paths on each interpreter: over 1,000 on fifteen of them.
const PATHS: usize = 90;

/// The most objects that are asked for.
const MOST_DRAWS: usize = 1500;

/// A path that was printed, and the object it leads to.
struct Printed {
    expression: String,
    object: Addr,
}

pub(crate) fn heap(fixture: &Fixture) -> Heap {
    let target = target::live::attach(fixture.pid(), &Options::default()).expect("attach");
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    Heap::of(&Arc::new(python)).expect("a heap")
}

/// What the thread that evaluates holds is another when it evaluates.
fn of_evaluator(heap: &Heap) -> Vec<String> {
    let threads = heap.python.threads();
    let evaluates = threads.filter(|thread| {
        let stack = heap.python.stack(thread);
        let mut frames = stack.frames.iter();
        frames.any(|frame| frame.file.ends_with("evaluator.py"))
    });
    let ident = evaluates.filter_map(|thread| thread.ident);
    ident
        .map(|ident| format!("_current_frames()[{ident}]"))
        .collect()
}

/// Paths to random objects, every other one of a random type, and the types of these objects.
fn print(heap: &Heap) -> (Vec<Printed>, BTreeSet<Arc<str>>) {
    let moving = of_evaluator(heap);
    let mut by_kind = vec![Vec::new(); heap.kinds().len()];
    for id in 0..heap.count() {
        if let Some(ids) = by_kind.get_mut(heap.kind_number(id) as usize) {
            ids.push(id);
        }
    }
    by_kind.retain(|ids| !ids.is_empty());
    let mut numbers = Random::new(0x5eed_0001);
    let mut random = |below: usize| numbers.below(below);
    let (mut printed, mut types) = (Vec::new(), BTreeSet::new());
    for draw in 0..MOST_DRAWS {
        if printed.len() >= PATHS {
            break;
        }
        let id = match draw % 2 {
            0 => random(heap.count() as usize) as u32,
            _ => {
                let ids = &by_kind[random(by_kind.len())];
                ids[random(ids.len())]
            }
        };
        for path in heap.paths_to(id, 2, false).expect("paths").paths {
            let whole = path.chain.reaches == path.objects.len();
            let expression = path.chain.expression.filter(|_| whole && path.root.certain);
            let Some(expression) = expression else {
                continue;
            };
            if !moving.iter().any(|moving| expression.contains(moving)) {
                let object = heap.address(id);
                types.insert(heap.class(id));
                printed.push(Printed { expression, object });
            }
        }
    }
    (printed, types)
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "paths", &[]);
    let heap = heap(&fixture);
    let (printed, types) = print(&heap);
    // The process runs on.
    drop(heap);
    let id = &interpreter.id;
    println!("{id}: {} paths, {} types", printed.len(), types.len());
    let enough = match printed.len() >= PATHS && types.len() >= 30 {
        true => Ok(()),
        false => Err(format!("{} paths, {} types", printed.len(), types.len())),
    };
    failures.check(id, enough);
    let expressions: Vec<String> = printed.iter().map(|p| p.expression.clone()).collect();
    let answers = evaluate(&fixture, &expressions);
    for (printed, answer) in printed.iter().zip(answers) {
        let Printed { expression, object } = printed;
        let result = match answer {
            Ok(address) if Addr(address) == *object => Ok(()),
            answer => Err(format!("{expression} is {answer:x?}, not {object}")),
        };
        failures.check(id, result);
    }
}

#[test]
fn paths_lead_to_the_very_objects() {
    Failures::together(interpreters(), check).finish();
}
