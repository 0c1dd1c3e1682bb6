//! Names of threads as gdb takes and prints them: `3` is thread 3 of the current inferior, `2.3` that
//! of inferior 2, and lists of them have ranges and stars (`1-3 2.1-4 2.* *`).

use super::number::compact;
use crate::cli::{Inferior, Session};
use anyhow::{anyhow, bail};

/// A thread of one of the open targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadId {
    /// The number of its inferior.
    pub inferior: usize,
    /// Its number there (gdb number, from 1).
    pub thread: usize,
}

/// The threads that a word of a list stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// One, which there must be.
    One(usize),
    /// Those from the first to the last that there are.
    Range(usize, usize),
    /// All.
    Star,
}

/// What was written, as the number of an inferior, if there is one, and threads of it.
fn parse(word: &str) -> anyhow::Result<(Option<usize>, Part)> {
    let invalid = || anyhow!("Invalid thread ID: {word}");
    let plain = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_number);
        number.filter(|number| *number > 0).ok_or_else(invalid)
    };
    let (inferior, threads) = match word.split_once('.') {
        Some((inferior, threads)) => (Some(plain(inferior)?), threads),
        None => (None, word),
    };
    let part = match (threads, threads.split_once('-')) {
        ("*", _) => Part::Star,
        (_, None) => Part::One(plain(threads)?),
        (_, Some((first, last))) => {
            let (first, last) = (plain(first)?, plain(last)?);
            if first > last {
                bail!("inverted range \"{word}\"");
            }
            Part::Range(first, last)
        }
    };
    Ok((inferior, part))
}

/// Whether a word can be a part of a list of threads.
pub fn is_thread_list(word: &str) -> bool {
    let begins = word == "*" || word.starts_with(|c: char| c.is_ascii_digit());
    begins
        && word
            .chars()
            .all(|c| c.is_ascii_digit() || "-.*".contains(c))
}

/// The inferior with a number, or the current one, with gdb's words where there is none.
fn inferior(session: &Session, number: Option<usize>) -> anyhow::Result<&Inferior> {
    session.process()?;
    let Some(number) = number else {
        return Ok(&session.inferior);
    };
    let mut all = session.inferiors().into_iter();
    let found = all.find(|inferior| inferior.number == number);
    found.ok_or_else(|| anyhow!("No inferior number '{number}'"))
}

/// The one thread that is named.
pub fn one(session: &Session, word: &str) -> anyhow::Result<ThreadId> {
    match parse(word)? {
        (_, Part::One(_)) => {}
        _ => bail!("Invalid thread ID: {word}"),
    }
    let found = list(session, &[word])?;
    let one = found.first().copied();
    one.ok_or_else(|| anyhow!("Unknown thread {word}."))
}

/// The threads that a list names, in its order. Those that are in a range and are not there are left
/// out.
pub fn list(session: &Session, words: &[&str]) -> anyhow::Result<Vec<ThreadId>> {
    let mut list = Vec::new();
    for word in words {
        let (number, part) = parse(word)?;
        let inferior = inferior(session, number)?;
        let most = inferior.process()?.threads().len();
        let range = match part {
            Part::One(thread) if thread > most => bail!("Unknown thread {word}."),
            Part::One(thread) => thread..=thread,
            Part::Range(first, last) => first..=last.min(most),
            Part::Star => 1..=most,
        };
        list.extend(range.map(|thread| ThreadId {
            inferior: inferior.number,
            thread,
        }));
    }
    Ok(list)
}

/// The threads of the current inferior, from the first to the last.
pub fn all(session: &Session) -> anyhow::Result<Vec<ThreadId>> {
    list(session, &["*"])
}

/// The name of a thread of the current inferior: `3`, and where there are several inferiors `2.3`.
pub fn name(session: &Session, thread: usize) -> String {
    match session.has_family() {
        true => format!("{}.{thread}", session.inferior.number),
        false => thread.to_string(),
    }
}

/// Threads of one inferior in few words: `2-65,70`; with its number in front `3.2-65,3.70`.
pub fn several(inferior: Option<usize>, threads: &[usize]) -> String {
    let threads = compact(threads);
    match inferior {
        Some(number) => format!("{number}.{}", threads.replace(',', &format!(",{number}."))),
        None => threads,
    }
}

/// The names of all threads, for completion: those of the current inferior, and where there are
/// several inferiors those of all as well.
pub fn completions(session: &Session) -> Vec<String> {
    let count = |inferior: &Inferior| {
        let process = inferior.process.as_ref();
        process.map_or(0, |process| process.threads().len())
    };
    let own = (1..=count(&session.inferior)).map(|thread| thread.to_string());
    let mut names: Vec<String> = own.collect();
    if session.has_family() {
        for inferior in session.inferiors() {
            let threads = 1..=count(inferior);
            names.extend(threads.map(|thread| format!("{}.{thread}", inferior.number)));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_gdb() {
        let read = |word| parse(word).unwrap();
        assert_eq!(read("3"), (None, Part::One(3)));
        assert_eq!(read("2.3"), (Some(2), Part::One(3)));
        assert_eq!(read("2.3-5"), (Some(2), Part::Range(3, 5)));
        assert_eq!(read("2.*"), (Some(2), Part::Star));
        assert_eq!(read("*"), (None, Part::Star));
        for wrong in [
            "0",
            "1.0",
            "1.",
            ".1",
            "1.x",
            "x",
            "1.1.1",
            "-1",
            "1-",
            "+1",
            "99999999999999999999",
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("Invalid thread ID: {wrong}"));
        }
        assert_eq!(
            parse("3-1").unwrap_err().to_string(),
            "inverted range \"3-1\""
        );
    }

    #[test]
    fn lists_are_told_from_commands() {
        for word in ["1", "1-3", "2.1", "2.1-3", "2.*", "*"] {
            assert!(is_thread_list(word), "{word}");
        }
        for word in ["bt", "-q", "x", "1x", "*p", ""] {
            assert!(!is_thread_list(word), "{word}");
        }
    }

    #[test]
    fn several_threads_in_few_words() {
        assert_eq!(several(None, &[1, 2, 3, 7]), "1-3,7");
        assert_eq!(several(Some(2), &[1, 2, 3, 7]), "2.1-3,2.7");
    }
}
