//! Keys and names as Python source text that evaluates to an equal object.

use crate::addr::Addr;
use crate::python::object::Objects;
use crate::python::value::{Limits, quote};

/// The most tuples within tuples.
const MOST_DEPTH: usize = 4;

/// How long a literal may be; longer keys are found by their identity.
const LIMITS: Limits = Limits {
    elements: 200,
    depth: 1,
    total: 400,
    attributes: false,
};

/// Words that are no names in some version.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "exec", "finally", "for", "from", "global", "if",
    "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "print", "raise", "return",
    "try", "while", "with", "yield",
];

/// Whether one can write `name` behind a dot. Python normalises other names than ASCII.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == b'_');
    first && bytes.all(|c| c.is_ascii_alphanumeric() || c == b'_') && !KEYWORDS.contains(&name)
}

/// A name between quotes; `None` where it has characters that no text of ours holds.
pub(super) fn quoted(name: &str) -> Option<String> {
    let chars: Vec<u32> = name.chars().map(u32::from).collect();
    // Lone surrogates are written with one.
    (!name.contains('\\')).then(|| quote::ascii(&chars))
}

/// A literal that is equal to the object at `addr` and has its hash; `None` where there is none, or
/// a very long one.
pub(super) fn literal(objects: &Objects, addr: Addr) -> Option<String> {
    of_depth(objects, addr, MOST_DEPTH)
}

fn of_depth(objects: &Objects, addr: Addr, depth: usize) -> Option<String> {
    let ty = objects.type_of(addr).ok()?;
    if ty.is_heap() {
        return None;
    }
    match &*objects.full_name(&ty) {
        "str" | "unicode" | "bytes" | "int" | "long" | "bool" | "NoneType" => shown(objects, addr),
        "float" => match shown(objects, addr)? {
            nan if nan.ends_with("nan") => None,
            infinite if infinite.ends_with("inf") => Some(format!("float('{infinite}')")),
            finite => Some(finite),
        },
        "tuple" => {
            let depth = depth.checked_sub(1)?;
            let size = objects.len(addr).ok()?;
            let items = objects.tuple_items(addr, LIMITS.elements).ok()?;
            if items.len() as u64 != size {
                return None;
            }
            let items = items.into_iter().map(|item| of_depth(objects, item, depth));
            let items = items.collect::<Option<Vec<_>>>()?;
            let text = match items.as_slice() {
                [one] => format!("({one},)"),
                items => format!("({})", items.join(", ")),
            };
            (text.len() <= LIMITS.total).then_some(text)
        }
        _ => None,
    }
}

fn shown(objects: &Objects, addr: Addr) -> Option<String> {
    let shown = objects.show(addr, LIMITS);
    (!shown.cut && shown.unreadable == 0).then_some(shown.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_behind_a_dot_only_where_every_version_reads_them() {
        for name in ["a", "_", "a1", "__dict__", "größe_"] {
            assert_eq!(is_identifier(name), name.is_ascii(), "{name}");
        }
        for name in ["", "1a", "class", "print", "async", "a b", "a.b", "a\n"] {
            assert!(!is_identifier(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_quoted_in_ascii() {
        assert_eq!(
            quoted("it's ü\u{202e}").as_deref(),
            Some("\"it's \\xfc\\u202e\"")
        );
        assert_eq!(quoted("\\udc80"), None);
    }
}
