//! Tokens of an expression (Lib/tokenize.py, as far as expressions go), and gdb's `$`, `$_`,
//! `$3`.

use super::error::{Class, Error, Span};
use super::literal;
use super::value::Value;

/// A token.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Token {
    /// A number or string.
    Literal(Value),
    /// A name or keyword.
    Name(String),
    /// An operator, bracket or comma.
    Operator(&'static str),
    /// `$`, `$_`, `$3`, `$$2`: what is behind the first dollar.
    History(String),
    /// The end of the text.
    End,
}

/// Operators, longer ones before those that they begin with.
const OPERATORS: &[&str] = &[
    "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "<>", "+", "-", "*", "/", "%", "&", "|", "^",
    "~", "<", ">", "(", ")", "[", "]", ",", ":", ".",
];

/// The longest expression, in bytes.
const LONGEST: usize = 64 << 10;

/// Splits `text` into tokens, each with its place; the last one is [`Token::End`]. In `two`,
/// Python 2, strings are bytes.
pub(crate) fn tokens(text: &str, two: bool) -> Result<Vec<(Token, Span)>, Error> {
    if text.len() > LONGEST {
        return Err(Error::new(Class::TooLarge, "the expression is too long"));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or("");
        let Some(first) = rest.chars().next() else {
            break;
        };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = next(rest, first, two).map_err(|error| {
            let end = text.len();
            let place = Span { start: at, end };
            error.at(place)
        })?;
        let end = at + length.max(1);
        tokens.push((token, Span { start: at, end }));
        at = end;
    }
    let end = text.len();
    tokens.push((Token::End, Span { start: end, end }));
    Ok(tokens)
}

/// The token at the start of `rest`, and its length.
fn next(rest: &str, first: char, two: bool) -> Result<(Token, usize), Error> {
    if let Some((value, length)) = literal::string(rest, two)? {
        return Ok((Token::Literal(value), length));
    }
    let follows_digit = |c: &str| c.starts_with(|c: char| c.is_ascii_digit());
    if first.is_ascii_digit() || first == '.' && rest.get(1..).is_some_and(follows_digit) {
        let (value, length) = literal::number(rest)?;
        return Ok((Token::Literal(value), length));
    }
    let word = |text: &str| {
        let is_word = |c: char| c == '_' || c.is_alphanumeric();
        text.find(|c: char| !is_word(c)).unwrap_or(text.len())
    };
    if first == '_' || first.is_alphabetic() {
        let length = word(rest);
        let name = rest.get(..length).unwrap_or(rest);
        return Ok((Token::Name(name.to_owned()), length));
    }
    if let Some(behind) = rest.strip_prefix('$') {
        let behind_second = behind.strip_prefix('$').unwrap_or(behind);
        let length = behind.len() - behind_second.len() + word(behind_second);
        let which = behind.get(..length).unwrap_or("");
        return Ok((Token::History(which.to_owned()), length + 1));
    }
    match OPERATORS
        .iter()
        .find(|operator| rest.starts_with(**operator))
    {
        Some(operator) => Ok((Token::Operator(operator), operator.len())),
        None => Err(Error::new(
            Class::SyntaxError,
            match first {
                '{' | '}' => "dictionaries and sets cannot be written here".to_owned(),
                '=' => "cannot assign; use == to compare".to_owned(),
                _ => format!("invalid character '{first}'"),
            },
        )),
    }
}
