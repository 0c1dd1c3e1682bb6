//! Numbers as gdb takes them: `bt -5`, `up 3`, `thread apply 1-3 5`.

use crate::cli::Session;
use anyhow::{anyhow, bail};

/// How much of a stack is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// The stack of the selected thread.
    Whole,
    /// So many innermost frames.
    Innermost(usize),
    /// So many outermost frames.
    Outermost(usize),
    /// The stacks of all threads.
    AllThreads,
}

impl Extent {
    /// From the argument of `bt`: nothing, `all`, `5` or `-5`.
    pub fn parse(text: Option<&str>) -> anyhow::Result<Extent> {
        let Some(text) = text else {
            return Ok(Extent::Whole);
        };
        if text == "all" {
            return Ok(Extent::AllThreads);
        }
        let count = |digits: &str| {
            number(digits)
                .map_err(|_| anyhow!("\"{text}\" is neither a number of frames nor \"all\""))
        };
        match text.strip_prefix('-') {
            Some(digits) => count(digits).map(Extent::Outermost),
            None => count(text).map(Extent::Innermost),
        }
    }

    /// Whether a number of frames is asked for.
    pub fn is_count(self) -> bool {
        matches!(self, Extent::Innermost(_) | Extent::Outermost(_))
    }

    /// The indices wanted of a stack of `length` frames.
    pub fn range(self, length: usize) -> std::ops::Range<usize> {
        match self {
            Extent::Whole | Extent::AllThreads => 0..length,
            Extent::Innermost(count) => 0..count.min(length),
            Extent::Outermost(count) => length.saturating_sub(count)..length,
        }
    }
}

/// A plain number, decimal or `0x` hex.
pub fn number(text: &str) -> anyhow::Result<usize> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| anyhow!("\"{text}\" is not a number"))
}

/// How many frames `up` and its like go: one, unless a number says otherwise.
pub fn steps(text: Option<&str>) -> anyhow::Result<usize> {
    text.map_or(Ok(1), number)
}

/// Thread numbers as `thread apply` takes them: `2-65,70`.
pub fn compact(ids: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some((_, last)) if *id == *last + 1 => *last = *id,
            _ => ranges.push((*id, *id)),
        }
    }
    let words = ranges.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

/// Inferior numbers: `all`, or a list such as `1-3 5`. Ranges hold those there are.
pub fn inferior_list(session: &Session, words: &[&str]) -> anyhow::Result<Vec<usize>> {
    let known: Vec<usize> = session.inferiors().iter().map(|i| i.number).collect();
    if words == ["all"] {
        return Ok(known);
    }
    let most = known.last().copied().unwrap_or(0);
    let mut list = Vec::new();
    for word in words {
        let numbers = match number(word) {
            Ok(id) if !known.contains(&id) => bail!("Inferior ID {id} not known."),
            Ok(id) => vec![id],
            Err(_) => range(word, most)?,
        };
        list.extend(numbers.into_iter().filter(|id| known.contains(id)));
    }
    Ok(list)
}

/// The numbers from `first-last` that are no higher than `most`.
fn range(word: &str, most: usize) -> anyhow::Result<Vec<usize>> {
    let (first, last) = match word.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(word)?, number(word)?),
    };
    if first > last {
        bail!("inverted range \"{word}\"");
    }
    Ok((first.max(1)..=last.min(most)).collect())
}

/// `2, 3 and 4`; of very many, the first ones and how many more.
pub fn list(ids: &[usize]) -> String {
    const SHOWN: usize = 20;
    let words: Vec<String> = ids.iter().take(SHOWN).map(usize::to_string).collect();
    let last = match ids.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{more} more"),
        _ => match words.last() {
            Some(last) => last.clone(),
            None => return String::new(),
        },
    };
    let first = match ids.len() > SHOWN {
        true => words.as_slice(),
        false => words.split_last().map_or(&[][..], |(_, first)| first),
    };
    match first {
        [] => last,
        first => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_readable() {
        assert_eq!(compact(&[2, 3, 4, 70, 72, 73]), "2-4,70,72-73");
        assert_eq!(compact(&[]), "");
    }

    #[test]
    fn extents() {
        assert_eq!(Extent::parse(None).unwrap(), Extent::Whole);
        assert_eq!(Extent::parse(Some("-5")).unwrap(), Extent::Outermost(5));
        assert_eq!(Extent::parse(Some("5")).unwrap().range(3), 0..3);
        assert_eq!(Extent::Outermost(2).range(5), 3..5);
        assert!(Extent::parse(Some("five")).is_err());
        assert!(Extent::parse(Some("99999999999999999999")).is_err());
    }

    #[test]
    fn ranges() {
        assert_eq!(range("1-3", 9).unwrap(), [1, 2, 3]);
        assert_eq!(range("2-1000000000", 3).unwrap(), [2, 3]);
        assert!(range("3-1", 3).is_err());
        assert!(range("1-", 3).is_err());
        assert!(range("x", 3).is_err());
    }

    #[test]
    fn lists_are_read_aloud() {
        assert_eq!(list(&[]), "");
        assert_eq!(list(&[3]), "3");
        assert_eq!(list(&[2, 3]), "2 and 3");
        assert_eq!(list(&[2, 3, 4]), "2, 3 and 4");
        let twenty: Vec<usize> = (1..=20).collect();
        assert!(list(&twenty).ends_with("19 and 20"));
        let many: Vec<usize> = (1..=25).collect();
        assert!(list(&many).ends_with("20 and 5 more"));
    }
}
