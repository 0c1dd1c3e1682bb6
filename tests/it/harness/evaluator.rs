//! Asks a fixture that runs `fixtures/evaluator.py` which objects some expressions are. The process
//! must not be held by anyone.

use super::Fixture;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// How long the answers may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// For each expression the address of its value, or why there is none.
pub(crate) fn evaluate(fixture: &Fixture, expressions: &[String]) -> Vec<Result<u64, String>> {
    let answers = fixture.dir().join("answers");
    let _ = fs::remove_file(&answers);
    let question = serde_json::to_string(expressions).expect("strings");
    fs::write(fixture.dir().join("ask"), question).expect("the fixture asks for expressions");
    let start = Instant::now();
    while !answers.exists() {
        assert!(start.elapsed() < PATIENCE, "no answers");
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = fs::read_to_string(&answers).expect("answers");
    let answers: Vec<Value> = serde_json::from_str(&text).expect("a list");
    assert_eq!(answers.len(), expressions.len());
    let answer = |value: Value| match value.as_u64() {
        Some(address) => Ok(address),
        None => Err(value.as_str().unwrap_or_default().to_owned()),
    };
    answers.into_iter().map(answer).collect()
}
