//! Names of several words and their abbreviations, as gdb resolves them: any prefix of a word
//! that fits only one name (`i thr`, `set sty en off`), with gdb's words for what does not fit.
//! Used for commands and for settings alike.

use std::fmt;

/// A table of names: each path of words leads to an entry.
pub struct Names {
    /// What is written, word by word, and the canonical words it stands for.
    paths: Vec<Path>,
}

struct Path {
    written: Vec<&'static str>,
    means: Vec<&'static str>,
    entry: usize,
}

/// What the words at the start of a text name.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'t> {
    /// An entry, and the rest of the text.
    Entry {
        /// The number it was added with.
        entry: usize,
        /// What follows the name.
        tail: &'t str,
    },
    /// Only the first words of several names, such as `info`; the text ends there.
    Group(String),
}

/// Why a text names nothing. The messages are gdb's.
#[derive(Debug, PartialEq, Eq)]
pub struct NotFound {
    /// The words before the one that did not fit.
    pub group: String,
    /// The word that did not fit.
    pub word: String,
    /// What it could have meant; empty when nothing.
    pub candidates: Vec<&'static str>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = match self.group.as_str() {
            "" => String::new(),
            group => format!("{group} "),
        };
        let word = &self.word;
        if self.candidates.is_empty() {
            let about = format!("help {group}");
            write!(
                f,
                "Undefined {group}command: \"{word}\".  Try \"{}\".",
                about.trim_end()
            )
        } else {
            let candidates = self.candidates.join(", ");
            write!(f, "Ambiguous {group}command \"{word}\": {candidates}.")
        }
    }
}

impl std::error::Error for NotFound {}

impl NotFound {
    /// The same for names that stand behind the command `verb`, such as the settings of `set`.
    pub fn below(mut self, verb: &str) -> NotFound {
        self.group = format!("{verb} {}", self.group).trim_end().to_owned();
        self
    }
}

impl Names {
    /// An empty table.
    pub fn new() -> Names {
        Names { paths: Vec::new() }
    }

    /// Adds `name` as the canonical name of `entry`.
    pub fn add(&mut self, name: &'static str, entry: usize) {
        self.add_alias(name, name, entry);
    }

    /// Adds another name for `name`. An alias of one word also stands before the further words of
    /// longer names: with `t` for `thread`, `t apply` is `thread apply`.
    pub fn add_alias(&mut self, alias: &'static str, name: &'static str, entry: usize) {
        self.paths.push(Path {
            written: alias.split_whitespace().collect(),
            means: name.split_whitespace().collect(),
            entry,
        });
    }

    /// Adds another name for a first word that is no entry itself, such as `i` for `info`.
    pub fn add_group_alias(&mut self, alias: &'static str, group: &'static str) {
        let behind: Vec<(Vec<&'static str>, usize)> = self
            .paths
            .iter()
            .filter(|path| path.means.first() == Some(&group) && path.written == path.means)
            .map(|path| (path.means.clone(), path.entry))
            .collect();
        for (means, entry) in behind {
            let mut written = means.clone();
            if let Some(first) = written.first_mut() {
                *first = alias;
            }
            self.paths.push(Path {
                written,
                means,
                entry,
            });
        }
    }

    /// What the words at the start of `text` name.
    pub fn find<'t>(&self, text: &'t str) -> Result<Found<'t>, NotFound> {
        let mut group: Vec<&'static str> = Vec::new();
        let mut tail = text;
        loop {
            let entry = self
                .paths
                .iter()
                .find(|path| path.means == group)
                .map(|path| path.entry);
            let (word, after) = split_word(tail);
            let next = self.next(&group, word);
            match (next.as_slice(), entry) {
                _ if word.is_empty() => {
                    return Ok(match entry {
                        Some(entry) => Found::Entry { entry, tail },
                        None => Found::Group(group.join(" ")),
                    });
                }
                ([], Some(entry)) => return Ok(Found::Entry { entry, tail }),
                ([one], _) => {
                    group = one.means.clone();
                    tail = after;
                }
                _ => {
                    return Err(NotFound {
                        group: group.join(" "),
                        word: word.to_owned(),
                        candidates: next.iter().map(|step| step.shown).collect(),
                    });
                }
            }
        }
    }

    /// All words that may follow `group` (canonical words), those beginning with `word`: what
    /// completion offers.
    pub fn words_after(&self, group: &str, word: &str) -> Vec<&'static str> {
        let group: Vec<&str> = group.split_whitespace().collect();
        let mut words: Vec<&'static str> = self
            .steps(&group)
            .into_iter()
            .map(|step| step.shown)
            .filter(|shown| shown.starts_with(word))
            .collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// The steps from `group` that `word` fits: the exact one alone, else all that begin with it,
    /// each meaning once.
    fn next(&self, group: &[&'static str], word: &str) -> Vec<Step> {
        let mut steps = self.steps(group);
        if let Some(exact) = steps.iter().position(|step| step.shown == word) {
            return vec![steps.swap_remove(exact)];
        }
        steps.retain(|step| step.shown.starts_with(word));
        steps.sort_by(|a, b| (&a.means, a.shown).cmp(&(&b.means, b.shown)));
        steps.dedup_by(|a, b| a.means == b.means);
        steps.sort_by_key(|step| step.shown);
        steps
    }

    /// Every word that leads on from `group`.
    fn steps(&self, group: &[&str]) -> Vec<Step> {
        let depth = group.len();
        let mut steps = Vec::new();
        for path in &self.paths {
            let leads = path.written.len() > depth && path.written.starts_with(group);
            if let (true, Some(shown)) = (leads, path.written.get(depth)) {
                // The last word of an alias means the whole name; a word before it means the
                // same number of words of the name.
                let means = if path.written.len() == depth + 1 {
                    path.means.clone()
                } else {
                    path.means.iter().take(depth + 1).copied().collect()
                };
                steps.push(Step { shown, means });
            }
        }
        steps
    }
}

/// A word that leads on, and the canonical words it leads to.
struct Step {
    shown: &'static str,
    means: Vec<&'static str>,
}

/// The first word of `text` and what follows. A word of a name ends where its letters end, so
/// that `x/8gx` is the word `x`; anything else ends at a space.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let named = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = match text.find(|c| !named(c)) {
        Some(0) => text.find(char::is_whitespace).unwrap_or(text.len()),
        Some(end) => end,
        None => text.len(),
    };
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Names {
        let mut names = Names::new();
        for (entry, name) in [
            "bt",
            "info threads",
            "info thing",
            "info proc",
            "thread",
            "thread apply",
            "x",
            "thaw",
            "py-bt",
            "py-bt-full",
        ]
        .into_iter()
        .enumerate()
        {
            names.add(name, entry);
        }
        names.add_alias("where", "bt", 0);
        names.add_alias("t", "thread", 4);
        names.add_alias("backtrace", "bt", 0);
        names.add_group_alias("i", "info");
        names
    }

    fn entry(text: &str) -> (usize, &str) {
        match table().find(text) {
            Ok(Found::Entry { entry, tail }) => (entry, tail),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn prefixes_and_aliases() {
        assert_eq!(entry("bt -5"), (0, " -5"));
        assert_eq!(entry("b"), (0, ""));
        assert_eq!(entry("wh full"), (0, " full"));
        assert_eq!(entry("i thr"), (1, ""));
        assert_eq!(entry("inf pr 12"), (3, " 12"));
        assert_eq!(entry("t"), (4, ""));
        assert_eq!(entry("t 2"), (4, " 2"));
        assert_eq!(entry("thr ap all py-bt"), (5, " all py-bt"));
        assert_eq!(entry("t a 1"), (5, " 1"));
        assert_eq!(entry("x/8gx $sp"), (6, "/8gx $sp"));
        assert_eq!(entry("py-bt"), (8, ""));
        assert_eq!(entry("py-bt-"), (9, ""));
    }

    #[test]
    fn what_does_not_fit_is_said_as_gdb_says_it() {
        let error = |text: &str| {
            table()
                .find(text)
                .map_or_else(|e| e.to_string(), |_| "found".into())
        };
        assert_eq!(error("th"), "Ambiguous command \"th\": thaw, thread.");
        assert_eq!(
            error("info th"),
            "Ambiguous info command \"th\": thing, threads."
        );
        assert_eq!(
            error("nosuch x"),
            "Undefined command: \"nosuch\".  Try \"help\"."
        );
        assert_eq!(
            error("i thx"),
            "Undefined info command: \"thx\".  Try \"help info\"."
        );
        assert_eq!(error("/x"), "Undefined command: \"/x\".  Try \"help\".");
        assert_eq!(table().find("i"), Ok(Found::Group("info".into())));
    }

    #[test]
    fn words_that_may_follow() {
        assert_eq!(table().words_after("info", "th"), ["thing", "threads"]);
        assert_eq!(table().words_after("", "th"), ["thaw", "thread"]);
    }
}
