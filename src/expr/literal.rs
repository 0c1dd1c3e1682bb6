//! Numbers and strings as they are written in Python (Parser/pegen and Parser/tokenizer of
//! CPython): prefixes, escapes, underscores.

use super::error::{Class, Error};
use super::value::Value;
use num_bigint::BigInt;

/// More digits of an integer are not converted: CPython's own limit since 3.11.
const MOST_DIGITS: usize = 4300;

fn syntax(message: &str) -> Error {
    Error::new(Class::SyntaxError, message)
}

/// The number at the start of `text`, and its length in bytes.
pub(crate) fn number(text: &str) -> Result<(Value, usize), Error> {
    let lower = text.get(..2).unwrap_or("").to_ascii_lowercase();
    let radix = match lower.as_str() {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return decimal(text),
    };
    let digits = text.get(2..).unwrap_or("");
    let length = digits
        .find(|c: char| !(c == '_' || c.is_alphanumeric()))
        .unwrap_or(digits.len());
    let written = digits.get(..length).unwrap_or("");
    integer(written, radix).map(|value| (Value::int(value), length + 2))
}

fn integer(digits: &str, radix: u32) -> Result<BigInt, Error> {
    let digits = digits.replace('_', "");
    if digits.len() > MOST_DIGITS {
        return Err(Error::new(
            Class::TooLarge,
            "the number has too many digits",
        ));
    }
    let value = (!digits.is_empty()).then(|| BigInt::parse_bytes(digits.as_bytes(), radix));
    value.flatten().ok_or_else(|| syntax("invalid number"))
}

fn decimal(text: &str) -> Result<(Value, usize), Error> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes
            .get(at)
            .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'_')
        {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    let mut float = false;
    if bytes.get(end) == Some(&b'.') {
        float = true;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        let exponent = end + 1 + usize::from(sign);
        if bytes.get(exponent).is_some_and(u8::is_ascii_digit) {
            float = true;
            end = digits(exponent);
        }
    }
    let written = text.get(..end).unwrap_or("");
    let behind = text.get(end..).and_then(|rest| rest.chars().next());
    let as_float = || {
        let plain = written.replace('_', "");
        plain.parse::<f64>().map_err(|_| syntax("invalid number"))
    };
    match behind {
        Some('j' | 'J') => Ok((Value::Complex(0.0, as_float()?), end + 1)),
        // Python 2 writes long integers so.
        Some('L' | 'l') if !float => Ok((Value::long(integer(written, 10)?), end + 1)),
        Some(c) if c == '_' || c.is_alphabetic() => Err(syntax("invalid decimal literal")),
        _ if float => Ok((Value::Float(as_float()?), end)),
        _ => integer(written, 10).map(|value| (Value::int(value), end)),
    }
}

/// The string at the start of `text`, if there is one, and its length in bytes.
pub(crate) fn string(text: &str, two: bool) -> Result<Option<(Value, usize)>, Error> {
    let prefix = text.find(['\'', '"']).unwrap_or(usize::MAX);
    let Some(prefix) = text.get(..prefix).filter(|prefix| prefix.len() <= 2) else {
        return Ok(None);
    };
    let (mut raw, mut bytes, mut unicode) = (false, false, false);
    for letter in prefix.chars() {
        match letter.to_ascii_lowercase() {
            'r' => raw = true,
            'b' => bytes = true,
            'u' => unicode = true,
            'f' | 't' => return Err(syntax("a string with fields would have to be run")),
            _ => return Ok(None),
        }
    }
    let bytes = bytes || two && !unicode;
    let body = text.get(prefix.len()..).unwrap_or("");
    let quote = match body.get(..3) {
        Some(three @ ("'''" | "\"\"\"")) => three,
        _ => body.get(..1).unwrap_or(""),
    };
    let inside = body.get(quote.len()..).unwrap_or("");
    let (codes, length) = contents(inside, quote, raw, bytes)?;
    let value = match bytes {
        false => Value::Str(codes),
        // In Python 3 they are ASCII; in Python 2 they are what the terminal sent.
        true => Value::Bytes(codes.into_iter().map(|code| code as u8).collect()),
    };
    Ok(Some((value, prefix.len() + quote.len() * 2 + length)))
}

/// The characters up to the closing quote, escapes resolved, and how many bytes were written.
fn contents(text: &str, quote: &str, raw: bool, bytes: bool) -> Result<(Vec<u32>, usize), Error> {
    let mut codes = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or("");
        if rest.starts_with(quote) {
            return Ok((codes, at));
        }
        let Some(c) = rest.chars().next() else {
            return Err(syntax("unterminated string literal"));
        };
        at += c.len_utf8();
        if c == '\\' && raw {
            codes.push('\\'.into());
            if let Some(next) = text.get(at..).and_then(|rest| rest.chars().next()) {
                at += next.len_utf8();
                codes.push(next.into());
            }
        } else if c == '\\' {
            at += escape(text.get(at..).unwrap_or(""), bytes, &mut codes)?;
        } else if bytes {
            let mut buffer = [0; 4];
            codes.extend(c.encode_utf8(&mut buffer).bytes().map(u32::from));
        } else {
            codes.push(c.into());
        }
    }
}

/// Resolves the escape whose text behind the backslash is `rest`; gives its length.
fn escape(rest: &str, bytes: bool, codes: &mut Vec<u32>) -> Result<usize, Error> {
    let Some(c) = rest.chars().next() else {
        return Err(syntax("unterminated string literal"));
    };
    let hex = |digits: usize| {
        let written = rest.get(1..=digits);
        let value = written.and_then(|written| u32::from_str_radix(written, 16).ok());
        value
            .filter(|value| *value <= 0x10_ffff)
            .ok_or_else(|| syntax("truncated escape in a string"))
    };
    let plain = match c {
        '\n' => return Ok(1),
        'n' => 10,
        't' => 9,
        'r' => 13,
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'v' => 11,
        '\\' | '\'' | '"' => u32::from(c),
        '0'..='7' => {
            let octal = |c: char| c.is_digit(8);
            let length = rest.chars().take(3).take_while(|c| octal(*c)).count();
            let value = u32::from_str_radix(rest.get(..length).unwrap_or("0"), 8).unwrap_or(0);
            codes.push(value);
            return Ok(length);
        }
        'x' => {
            codes.push(hex(2)?);
            return Ok(3);
        }
        'u' if !bytes => {
            codes.push(hex(4)?);
            return Ok(5);
        }
        'U' if !bytes => {
            codes.push(hex(8)?);
            return Ok(9);
        }
        'N' if !bytes => return Err(syntax("names of characters are not known here")),
        other => {
            codes.push('\\'.into());
            codes.push(other.into());
            return Ok(other.len_utf8());
        }
    };
    codes.push(plain);
    Ok(1)
}
