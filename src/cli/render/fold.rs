//! What is left out of a deep Python stack: the repetitions of one line as CPython's own tracebacks
//! leave them out (`_RECURSIVE_CUTOFF`), and the inside of a recursion through several functions.

use pydbg::Addr;
use pydbg::diag::thousands;
use pydbg::python::PyFrame;
use rustc_hash::{FxHashMap, FxHashSet};

/// How often CPython prints one line of a recursion before it counts.
const REPEATS: usize = 3;
/// A function belongs to a recursion when it was seen among so many frames before.
const WINDOW: usize = 16;
/// A recursion through several functions is folded from so many entries on,
const DEEP: usize = 100;
/// of which so many are shown.
const SHOWN: usize = 20;

/// One thing to print.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The frame at this position.
    Frame(usize),
    /// A line for frames that are left out.
    Words(String),
}

/// What tells frames of a recursion from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spot {
    /// The function: the address of its code.
    pub code: Addr,
    /// The line, where repetitions of a line are counted; frames with something to say of their
    /// own have none.
    pub line: Option<i32>,
}

impl Spot {
    /// Of a frame in a Python traceback.
    pub fn of(frame: &PyFrame) -> Spot {
        Spot {
            code: frame.code,
            line: frame.position.line.filter(|_| frame.problem.is_none()),
        }
    }
}

/// What to print of frames.
pub fn plan(frames: &[Spot]) -> Vec<Step> {
    let entries = entries(frames);
    let mut steps = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        let length = recursion(&entries, at);
        let shown = if length >= DEEP { SHOWN } else { length };
        for entry in entries.iter().skip(at).take(shown) {
            entry.steps(&mut steps);
        }
        let hidden = entries.get(at + shown..at + length).unwrap_or_default();
        if !hidden.is_empty() {
            steps.push(Step::Words(words(hidden)));
        }
        at += length;
    }
    steps
}

/// Frames that one entry stands for: all at the same line of the same function.
struct Entry {
    spot: Spot,
    first: usize,
    count: usize,
}

impl Entry {
    fn steps(&self, steps: &mut Vec<Step>) {
        steps.extend((self.first..self.first + self.count.min(REPEATS)).map(Step::Frame));
        match self.count.saturating_sub(REPEATS) {
            0 => {}
            1 => steps.push(Step::Words("[Previous line repeated 1 more time]".into())),
            more => steps.push(Step::Words(format!(
                "[Previous line repeated {more} more times]"
            ))),
        }
    }
}

fn entries(frames: &[Spot]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, spot) in frames.iter().enumerate() {
        match entries.last_mut() {
            Some(entry) if entry.spot == *spot && spot.line.is_some() => entry.count += 1,
            _ => entries.push(Entry {
                spot: *spot,
                first: at,
                count: 1,
            }),
        }
    }
    entries
}

/// How many entries from `start` on belong to one recursion: each runs code that was seen shortly
/// before, or that comes again shortly after.
fn recursion(entries: &[Entry], start: usize) -> usize {
    let rest = entries.get(start..).unwrap_or_default();
    let mut last_seen = FxHashMap::default();
    for (at, entry) in rest.iter().enumerate() {
        let code = entry.spot.code;
        let known = last_seen.insert(code, at);
        if known.is_some_and(|known| at - known <= WINDOW) {
            continue;
        }
        let mut ahead = rest.iter().skip(at + 1).take(WINDOW);
        if !ahead.any(|later| later.spot.code == code) {
            return at.max(1);
        }
    }
    rest.len()
}

fn words(hidden: &[Entry]) -> String {
    let count: usize = hidden.iter().map(|entry| entry.count).sum();
    let codes = hidden.iter().map(|entry| entry.spot.code);
    let functions = match codes.collect::<FxHashSet<_>>().len() {
        1 => "function".to_owned(),
        more => format!("{more} functions"),
    };
    let count = thousands(count);
    format!("(... {count} more frames of the same {functions})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(code: u64, line: i32) -> Spot {
        Spot {
            code: Addr(code),
            line: Some(line),
        }
    }

    fn said(frames: &[Spot]) -> Vec<String> {
        let words = |step| match step {
            Step::Frame(_) => None,
            Step::Words(words) => Some(words),
        };
        plan(frames).into_iter().filter_map(words).collect()
    }

    #[test]
    fn one_line_is_counted_as_python_counts_it() {
        let mut frames: Vec<Spot> = (0..1000).map(|_| frame(1, 7)).collect();
        frames.push(frame(2, 1));
        assert_eq!(said(&frames), ["[Previous line repeated 997 more times]"]);
        assert_eq!(plan(&frames).len(), 5);
        frames.truncate(4);
        assert_eq!(said(&frames), ["[Previous line repeated 1 more time]"]);
    }

    #[test]
    fn a_recursion_through_several_functions_is_folded() {
        let mut frames = vec![frame(9, 1)];
        frames.extend((0..1_000_000).map(|at| frame(1 + at % 3, 7)));
        frames.push(frame(8, 1));
        assert_eq!(
            said(&frames),
            ["(... 999,980 more frames of the same 3 functions)"]
        );
        let steps = plan(&frames);
        assert_eq!(steps.len(), 23);
        assert_eq!(steps.last(), Some(&Step::Frame(1_000_001)));
        let lines: Vec<Spot> = (0..200).map(|at| frame(1, at)).collect();
        assert_eq!(said(&lines), ["(... 180 more frames of the same function)"]);
    }

    #[test]
    fn stacks_without_recursion_stay_whole() {
        let frames: Vec<Spot> = (0..500).map(|at| frame(at, 7)).collect();
        assert_eq!(plan(&frames).len(), 500);
        let short: Vec<Spot> = (0..60).map(|at| frame(at % 2, 7)).collect();
        assert_eq!(plan(&short).len(), 60);
    }
}
