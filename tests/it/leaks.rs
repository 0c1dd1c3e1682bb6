//! Suspects against a process that makes its containers grow and says what is in each.

use crate::harness::evaluator::evaluate;
use crate::harness::{Failures, Fixture, Interpreter, interpreters, list};
use crate::heap_paths::heap;
use pydbg::Addr;
use pydbg::heap::{Accused, Heap, SuspectBounds, Suspects};
use serde_json::Value;

/// Low ones, which a program without a leak must not reach either.
const BOUNDS: SuspectBounds = SuspectBounds {
    share: 4,
    floor: 3 << 18,
    most: 20,
};

/// Makes the containers grow; what is in each then.
pub(crate) fn grow(fixture: &Fixture, arguments: &str) -> Value {
    let file = fixture.dir().join("grown");
    let _ = std::fs::remove_file(&file);
    let call = format!("sys.modules['__main__'].grow({arguments})");
    let answer = evaluate(fixture, &[call]);
    assert!(answer[0].is_ok(), "{answer:?}");
    let text = std::fs::read_to_string(file).expect("what has grown");
    serde_json::from_str(&text).expect("JSON")
}

fn shown(found: &Suspects) -> String {
    let one = |suspect: &pydbg::heap::Suspect| {
        let path = suspect.path.as_ref().map(|path| &*path.chain.text);
        format!(
            "{:?} {} {:?}\n   {path:?}\n",
            suspect.who, suspect.gathered, suspect.kinds
        )
    };
    found.suspects.iter().map(one).collect()
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "leaking", &[]);
    grow(&fixture, "100");
    let truth = grow(&fixture, "400");
    let heap = heap(&fixture);
    let found = heap.suspects(BOUNDS).expect("suspects");
    println!(
        "{}: {} {}\n{}",
        interpreter.id,
        heap.count(),
        found.bytes,
        shown(&found)
    );
    println!("{truth}");
    let _ = (failures, list(&truth), Addr(0), |a: Accused, b: Heap| {
        (a, b)
    });
}

#[test]
fn each_container_that_grows_is_a_suspect() {
    Failures::together(interpreters(), check).finish();
}
