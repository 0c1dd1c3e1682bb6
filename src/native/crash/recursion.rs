//! Which functions of a deep stack call each other again and again.

use rustc_hash::FxHashMap;
use serde::Serialize;

/// The most functions that are named.
const MOST_NAMED: usize = 8;

/// A stack shorter than this is not called a recursion.
const DEEP: usize = 50;

/// The functions that a deep stack consists of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Recursion {
    /// How many frames the stack has.
    pub frames: usize,
    /// The functions that repeat: Python's first, then as the innermost ones come, callee first.
    pub functions: Vec<Repeated>,
}

/// A function that is on a stack many times.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Repeated {
    /// Its name.
    pub name: String,
    /// Whether it is Python.
    pub python: bool,
    /// How many frames it has.
    pub count: usize,
}

/// The recursion in a stack given by its functions, innermost first, each with whether it is
/// Python; an empty name is one that is not known. `None` when nothing repeats often enough.
pub fn of(functions: &[(String, bool)]) -> Option<Recursion> {
    let frames = functions.len();
    if frames < DEEP {
        return None;
    }
    let mut counts: FxHashMap<(&str, bool), usize> = FxHashMap::default();
    for (name, python) in functions.iter().filter(|(name, _)| !name.is_empty()) {
        *counts.entry((name, *python)).or_default() += 1;
    }
    // A function of the cycle has its share of the frames; one that is called from it in places
    // has not.
    let most = counts.values().copied().max()?;
    let least = (most / 4).max(10);
    let mut named: Vec<Repeated> = Vec::new();
    for (name, python) in functions {
        let key = (name.as_str(), *python);
        let count = counts.remove(&key).unwrap_or(0);
        if count >= least {
            let name = name.clone();
            let python = *python;
            named.push(Repeated {
                name,
                python,
                count,
            });
        }
    }
    // Python's functions tell most; those without a name tell nothing.
    named.sort_by_key(|repeated| !repeated.python);
    let covered: usize = named.iter().map(|repeated| repeated.count).sum();
    named.truncate(MOST_NAMED);
    let known = functions
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .count();
    (covered * 2 > known).then_some(Recursion {
        frames,
        functions: named,
    })
}

impl Recursion {
    /// The functions with how often each is there.
    pub fn words(&self) -> String {
        let functions: Vec<String> = self
            .functions
            .iter()
            .map(|repeated| {
                let python = if repeated.python { "Python's " } else { "" };
                format!("{python}{} {} times", repeated.name, repeated.count)
            })
            .collect();
        format!("{} frames: {}", self.frames, functions.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_is_named_with_its_counts() {
        let mut stack = vec![("leaf".to_owned(), false)];
        for _ in 0..1000 {
            stack.push(("b".to_owned(), true));
            stack.push(("a".to_owned(), false));
        }
        stack.push(("main".to_owned(), false));
        let found = of(&stack).unwrap();
        assert_eq!(
            found.words(),
            "2002 frames: Python's b 1000 times, a 1000 times"
        );
    }

    #[test]
    fn what_does_not_repeat_is_no_recursion() {
        let all: Vec<_> = (0..1000).map(|n| (format!("f{n}"), false)).collect();
        assert_eq!(of(&all), None);
        assert_eq!(of(&vec![("f".to_owned(), false); 5]), None);
        assert_eq!(of(&vec![(String::new(), false); 500]), None);
    }
}
