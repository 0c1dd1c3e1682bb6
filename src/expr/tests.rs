//! Expressions without a process: what needs no object of a target.

use super::{Class, Evaluator, Lookup, Scope, Value, check};
use crate::python::layout::Layout;
use crate::python::object::Objects;
use crate::python::value::Limits;
use crate::target::synth::TargetBuilder;
use proptest::prelude::*;
use std::sync::Arc;

/// A scope with one name.
struct One;

impl Scope for One {
    fn lookup(&self, name: &str) -> Lookup {
        match name {
            "x" => Lookup::Found(Value::int(5), super::ScopeKind::Local),
            _ => Lookup::Missing,
        }
    }

    fn builtin(&self, _name: &str) -> Option<Value> {
        None
    }

    fn module(&self, _name: &str) -> Option<Value> {
        None
    }

    fn names(&self) -> Vec<String> {
        vec!["x".to_owned(), "balance".to_owned()]
    }

    fn locals(&self) -> Vec<(String, Value)> {
        vec![("x".to_owned(), Value::int(5))]
    }
}

fn objects(version: (u8, u8)) -> Objects {
    let target = TargetBuilder::new().build();
    let layout = Layout::all_tables()
        .find(|layout| layout.version == version)
        .expect("a layout");
    Objects::new(Arc::clone(&target.memory), Arc::new(layout.clone()))
}

/// What an expression gives, in one text.
fn run(text: &str, version: (u8, u8)) -> String {
    let objects = objects(version);
    let history = [Value::int(7), Value::text("seven")];
    let evaluator = Evaluator::new(&objects, &One, &history);
    match evaluator.evaluate(text) {
        Ok(answer) => evaluator.show(&answer.value, Limits::NONE).text,
        Err(error) => error.to_string(),
    }
}

#[test]
fn arithmetic_is_pythons() {
    for (text, expected) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("2 ** -1", "0.5"),
        ("-7 // 2, -7 % 2, 7 // -2, 7 % -2", "(-4, 1, -4, -1)"),
        ("7 / 2", "3.5"),
        ("10**25 / 10**5", "1e+20"),
        ("1 / 3", "0.3333333333333333"),
        ("0x_ff + 0b11 + 0o17 + 1_000", "1273"),
        ("1e3, .5, 5., 1E-7", "(1000.0, 0.5, 5.0, 1e-07)"),
        ("~5 & 0xff | 1 << 10 ^ 3", "1275"),
        ("-7.5 // 2, -7.5 % 2", "(-4.0, 0.5)"),
        ("1 < 2 < 3, 1 < 2 > 3", "(True, False)"),
        ("not 1 == 2", "True"),
        ("0 or 'a' and 'b'", "'b'"),
        (
            "2 in (1, 2), 'b' in 'abc', 3 not in [1]",
            "(True, True, True)",
        ),
        ("'abc'[1:], 'abc'[-1], 'abc'[::-1]", "('bc', 'c', 'cba')"),
        ("b'abc'[0], b'a\\x00'", "(97, b'a\\x00')"),
        ("[1, 2, 3][5:], [0] * 3", "([], [0, 0, 0])"),
        ("'a' 'b' + \"it's\"", "\"abit's\""),
        ("r'\\n', u'\\u00e9', '\\101'", "('\\\\n', 'é', 'A')"),
        ("(1,), ()", "((1,), ())"),
        ("1 == True == 1.0, 1 != 2", "(True, True)"),
        ("None is None, True is not None", "(True, True)"),
        ("2j * 2j", "(-4+0j)"),
        ("10**20", "100000000000000000000"),
        ("hex(255), hex(-1)", "('0xff', '-0x1')"),
        ("len('abc') + len((1, 2))", "5"),
        ("x * 2", "10"),
        (
            "$1, $2, $, $_, $$, $$1",
            "(7, 'seven', 'seven', 'seven', 7, 7)",
        ),
        (
            "1 if x else 2",
            "SyntaxError: conditional expressions are not supported",
        ),
        ("(1, 2)[2]", "IndexError: tuple index out of range"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        (
            "1 + ''",
            "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
        ),
        (
            "balanec",
            "NameError: name 'balanec' is not defined. Did you mean: 'balance'?",
        ),
        ("9**9**9", "too large: the integer has too many bits"),
        ("1 << 10**9", "too large: the integer has too many bits"),
        ("$9", "NameError: there is no answer $9"),
    ] {
        assert_eq!(run(text, (3, 11)), expected, "{text}");
    }
}

#[test]
fn python_2_has_its_own_numbers_and_strings() {
    for (text, expected) in [
        ("7 / 2, -7 / 2", "(3, -4)"),
        ("2 ** 63, 5L", "(9223372036854775808L, 5L)"),
        ("'a', u'a', 'a' == u'a'", "('a', u'a', True)"),
        ("'abc'[0]", "'a'"),
        ("1 <> 2", "True"),
    ] {
        assert_eq!(run(text, (2, 7)), expected, "{text}");
    }
}

#[test]
fn errors_have_a_place() {
    let objects = objects((3, 11));
    let evaluator = Evaluator::new(&objects, &One, &[]);
    for (text, place) in [
        ("x + nosuch", 4..10),
        ("1 +", 3..3),
        ("(1, 2)[9]", 7..8),
        ("x + 'a' + 1", 0..7),
        ("x = 1", 2..5),
        ("foo(1)", 0..3),
    ] {
        let error = evaluator.evaluate(text).expect_err(text);
        assert_eq!(error.span.start..error.span.end, place, "{text}: {error}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    for text in [
        "(".repeat(10_000),
        "[".repeat(10_000),
        "-".repeat(10_000),
        "*".repeat(10_000),
        format!("1{}", "+1".repeat(10_000)),
        format!("x{}", ".a".repeat(10_000)),
        format!("x{}", "[0]".repeat(5_000)),
        format!("x{}", "()".repeat(5_000)),
        "not ".repeat(10_000),
        "x[".repeat(5_000),
        "x(".repeat(5_000),
        format!("2{}", "**2".repeat(1000)),
        "9".repeat(10_000),
        "[0] * 10**9".to_owned(),
        "'a' * 2**60".to_owned(),
    ] {
        let start = std::time::Instant::now();
        let error = run(&text, (3, 11));
        eprintln!(
            "TIMING {:?} {}",
            start.elapsed(),
            &text[..text.len().min(12)]
        );
        let refused = ["too large", "SyntaxError"]
            .iter()
            .any(|word| error.starts_with(word));
        assert!(refused, "{error}");
    }
}

#[test]
fn operators_of_python_need_no_target() {
    assert!(check("a.b['c'][1:2](d)", false).is_ok());
    let error = check("lambda: 0", false).expect_err("lambda");
    assert_eq!(error.class, Class::SyntaxError);
}

proptest! {
    #[test]
    fn any_text_ends(text in "\\PC{0,40}") {
        let _ = run(&text, (3, 11));
        let _ = run(&text, (2, 7));
    }

    #[test]
    fn any_tokens_end(words in prop::collection::vec(prop::sample::select(vec![
        "1", "2.5", "'a'", "b'b'", "x", "+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|",
        "^", "~", "(", ")", "[", "]", ",", ":", ".", "<", "==", "in", "not", "is", "and", "or",
        "None", "True", "len", "hex", "type", "$", "$1", "1e308", "0", "10", "str", "1j",
    ]), 0..24)) {
        let text = words.join(" ");
        let _ = run(&text, (3, 11));
        let _ = run(&text, (2, 7));
    }
}
