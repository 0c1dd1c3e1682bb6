//! Addresses as a user writes them: `0x7f…`, `$sp+8`, `_PyRuntime+0x10`.

use super::stack::Stack;
use super::{register, symbol};
use crate::cli::Session;
use anyhow::{Context, anyhow, bail};
use pydbg::Addr;

/// One operand of a sum.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Term {
    Number(u64),
    Register(String),
    Symbol(String),
}

/// Evaluates a sum of numbers, registers of the selected frame and symbols.
pub fn evaluate(session: &Session, text: &str) -> anyhow::Result<Addr> {
    let mut total = 0u64;
    for (negative, term) in parse(text)? {
        let value = match term {
            Term::Number(value) => value,
            Term::Register(name) => in_frame(session, &name)?,
            Term::Symbol(name) => {
                symbol::named(session.process()?, &name)
                    .with_context(|| format!("No symbol \"{name}\" in the target."))?
                    .0
            }
        };
        total = if negative {
            total.wrapping_sub(value)
        } else {
            total.wrapping_add(value)
        };
    }
    Ok(Addr(total))
}

/// Splits a sum into its signed terms.
fn parse(text: &str) -> anyhow::Result<Vec<(bool, Term)>> {
    let mut terms = Vec::new();
    let mut rest = text.trim();
    let mut negative = false;
    if rest.is_empty() {
        bail!("an address is missing; try \"$sp\", \"0x…\" or a symbol's name");
    }
    loop {
        if let Some(tail) = rest.strip_prefix('-') {
            negative = !negative;
            rest = tail.trim_start();
        }
        let length = rest.find(['+', '-']).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(length);
        terms.push((negative, term(word.trim())?));
        let Some(sign) = tail.chars().next() else {
            return Ok(terms);
        };
        negative = sign == '-';
        rest = tail.get(1..).unwrap_or("").trim_start();
    }
}

fn term(word: &str) -> anyhow::Result<Term> {
    let bad = || anyhow!("\"{word}\" is not an address; try \"$sp\", \"0x…\" or a symbol's name");
    if let Some(name) = word.strip_prefix('$') {
        return Ok(Term::Register(name.to_owned()));
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        let value = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => word.parse(),
        };
        return value.map(Term::Number).map_err(|_| bad());
    }
    let name = word.strip_prefix('&').unwrap_or(word);
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(bad());
    }
    Ok(Term::Symbol(name.to_owned()))
}

/// The value of `$name` in the selected frame.
fn in_frame(session: &Session, name: &str) -> anyhow::Result<u64> {
    let stack = Stack::selected(session)?;
    let frame = stack
        .native_frame(session.inferior.frame)
        .with_context(|| format!("frame {} has no registers", session.inferior.frame))?;
    register::value(&frame.registers, name)
        .with_context(|| format!("there is no register \"${name}\""))?
        .with_context(|| format!("${name} is not saved in frame {}", session.inferior.frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let sum = |text| parse(text).unwrap();
        let number = |negative, value| (negative, Term::Number(value));
        assert_eq!(sum("0x10"), [number(false, 16)]);
        assert_eq!(
            sum("$sp + 8 - 0x4"),
            [
                (false, Term::Register("sp".into())),
                number(false, 8),
                number(true, 4)
            ]
        );
        assert_eq!(sum("&main+1")[0], (false, Term::Symbol("main".into())));
        assert_eq!(sum("-8"), [number(true, 8)]);
        for bad in ["", "12ab", "0x", "a b", "1+", "+"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
