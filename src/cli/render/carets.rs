//! Source lines with the expression marked as CPython's own traceback marks it: `traceback.c` and
//! Lib/traceback.py of 3.11 and 3.12 (one line, operators and subscripts). What 3.13 and 3.14 do
//! (calls too, and expressions over several lines) is in [`super::expression`].

use super::anchors::{self, Shape};
use super::expression;
use super::width::Shown;
use pydbg::python::{Position, Version};

/// How a version marks expressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Whether calls are marked like subscripts.
    calls: bool,
    /// Whether all lines of an expression are shown.
    lines: bool,
}

/// The rules from each version on; before the first of them there are no columns.
const RULES: &[((u8, u8), Rules)] = &[
    (
        (3, 0),
        Rules {
            calls: false,
            lines: false,
        },
    ),
    (
        (3, 13),
        Rules {
            calls: true,
            lines: true,
        },
    ),
];

impl Rules {
    /// The rules of a version.
    pub fn of(version: &Version) -> Rules {
        let (_, first) = RULES[0];
        RULES
            .iter()
            .rev()
            .find(|(from, _)| *from <= (version.major, version.minor))
            .map_or(first, |(_, rules)| *rules)
    }
}

/// Bytes of the longest line that is shown whole: the lines of minified files fill screens.
const LONGEST: usize = 1000;

/// The most lines of one expression: beyond it, damage is likelier than style.
const MOST_LINES: usize = 1000;

/// `line`, cut when it is too long to be of use.
pub fn shortened(line: &str) -> String {
    if line.len() <= LONGEST {
        return line.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at));
    format!("{}…", line.get(..end.unwrap_or(0)).unwrap_or_default())
}

/// One line to print below a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// Source, safe to print.
    Source(String),
    /// The marks below it.
    Marks(String),
    /// So many lines are left out.
    Gap(usize),
}

/// What a traceback shows of `lines`, the source file, at `position`.
pub fn mark(lines: &[String], position: &Position, rules: Rules) -> Vec<Line> {
    let Some(first) = position.line.and_then(|line| line_at(lines, line)) else {
        return Vec::new();
    };
    if first.trim().is_empty() {
        return Vec::new();
    }
    let plain = || {
        vec![Line::Source(
            Shown::of(&chars(&shortened(first.trim()))).text,
        )]
    };
    let (Some(column), Some(end_column)) = (position.column, position.end_column) else {
        return plain();
    };
    let end_line = position.end_line.or(position.line);
    let count = match (position.line, end_line) {
        (Some(line), Some(end)) if end >= line => (end - line) as usize + 1,
        _ => return plain(),
    };
    if first.len() > LONGEST || count > MOST_LINES {
        return plain();
    }
    let found = if rules.lines {
        expression::several_lines(lines, position, count, column, end_column, rules.calls)
    } else {
        one_line(first, count, column, end_column)
    };
    found.unwrap_or_else(plain)
}

/// The line with number `line`, from 1.
fn line_at(lines: &[String], line: i32) -> Option<&String> {
    lines.get(usize::try_from(line).ok()?.checked_sub(1)?)
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// The number of characters in the first `offset` bytes of `line`.
pub fn char_index(line: &str, offset: u32) -> usize {
    line.char_indices()
        .take_while(|(at, _)| *at < offset as usize)
        .count()
}

/// The rules of 3.11 and 3.12.
fn one_line(line: &str, count: usize, column: u32, end_column: u32) -> Option<Vec<Line>> {
    let text = chars(line.trim());
    let indent = line.chars().count() - line.trim_start().chars().count();
    let start = char_index(line, column).checked_sub(indent)?;
    let single = count == 1;
    let end = if single {
        char_index(line, end_column)
            .checked_sub(indent)?
            .min(text.len())
    } else {
        text.len()
    };
    let segment = text.get(start..end)?;
    let inner = anchors::find(segment)
        .filter(|found| single && found.shape != Shape::Call)
        .map(|found| (found.start + start, found.end + start));
    let shown = Shown::of(&text);
    let mut result = vec![Line::Source(shown.text.clone())];
    if end - start < text.len() || inner.is_some() {
        let (from, to) = (shown.column(start), shown.column(end));
        let inner = inner.map(|(from, to)| (shown.column(from), shown.column(to)));
        let marks = (0..to).map(|at| match inner {
            _ if at < from => ' ',
            Some((left, right)) if at < left || at >= right => '~',
            _ => '^',
        });
        push_marks(&mut result, marks.collect());
    }
    Some(result)
}

/// Adds a line of marks unless it is blank, as below an empty line of an expression.
pub fn push_marks(lines: &mut Vec<Line>, marks: String) {
    if !marks.trim().is_empty() {
        lines.push(Line::Marks(marks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a version of CPython prints of `source` for the position of `text` in it.
    fn marked(source: &str, text: &str, minor: u8) -> Vec<String> {
        let start = source.find(text).unwrap();
        let place = |at: usize| {
            let before = &source[..at];
            let line = before.matches('\n').count() as i32 + 1;
            let column = before.rsplit('\n').next().unwrap().len() as u32;
            (Some(line), Some(column))
        };
        let (line, column) = place(start);
        let (end_line, end_column) = place(start + text.len());
        let position = Position {
            line,
            end_line,
            column,
            end_column,
        };
        let version = Version {
            major: 3,
            minor,
            micro: None,
            hex: None,
            free_threaded: false,
            debug: None,
            source: String::new(),
        };
        let lines: Vec<String> = source.lines().map(str::to_owned).collect();
        mark(&lines, &position, Rules::of(&version))
            .into_iter()
            .map(|line| match line {
                Line::Source(text) | Line::Marks(text) => text,
                Line::Gap(count) => format!("...<{count} lines>..."),
            })
            .collect()
    }

    // Each expectation is what traceback.py of 3.11.7, 3.12.1 and 3.13.0 printed; 90,000
    // positions of the standard library were compared in the same way.

    #[test]
    fn operators_and_subscripts() {
        for minor in [11, 12, 13] {
            assert_eq!(
                marked("    x = a + b * c", "a + b * c", minor),
                ["x = a + b * c", "    ~~^~~~~~~"]
            );
            assert_eq!(
                marked("  y = f(a[b][c])", "a[b][c]", minor),
                ["y = f(a[b][c])", "      ~~~~^^^"]
            );
        }
    }

    #[test]
    fn the_whole_line_is_not_marked() {
        assert_eq!(marked("  f(a).b", "f(a).b", 11), ["f(a).b"]);
        assert_eq!(marked("  f(a)", "f(a)", 12), ["f(a)"]);
        assert_eq!(marked("  f(a)", "f(a)", 13), ["f(a)", "~^^^"]);
        assert_eq!(
            marked("  return f(a)", "f(a)", 12),
            ["return f(a)", "       ^^^^"]
        );
        assert_eq!(marked("  return f(a)", "f(a)", 13), ["return f(a)"]);
        assert_eq!(marked("  x = k.f(a)", "k.f(a)", 13), ["x = k.f(a)"]);
    }

    #[test]
    fn wide_characters_and_bytes() {
        assert_eq!(
            marked("  名前 = a['名前'] + é", "a['名前'] + é", 11),
            ["名前 = a['名前'] + é", "       ~~~~~~~~~~^~~"]
        );
        let hostile = marked("  x\u{9b} = f(a)", "f(a)", 11);
        assert_eq!(hostile, ["x\\x9b = f(a)", "        ^^^^"]);
    }

    #[test]
    fn several_lines() {
        let call = "    g(x(\n        1,\n        2,\n        3,\n        4,\n        5))";
        let text = &call[6..call.len() - 1];
        assert_eq!(marked(call, text, 11), ["g(x(", "  ^^"]);
        let marks = ["g(x(", "  ~^", "    1,", "    ^^", "...<2 lines>..."];
        assert_eq!(marked(call, text, 13)[..5], marks);
        let sum = "    f(a +\n      b)";
        assert_eq!(
            marked(sum, "a +\n      b", 13),
            ["f(a +", "  ~~^", "  b)", "  ~"]
        );
    }

    #[test]
    fn without_columns_or_lines() {
        let lines = vec!["  a".to_owned()];
        let rules = RULES[1].1;
        let at = |line| Position {
            line,
            ..Position::default()
        };
        assert_eq!(
            mark(&lines, &at(Some(1)), rules),
            [Line::Source("a".into())]
        );
        assert!(mark(&lines, &at(Some(2)), rules).is_empty());
        assert!(mark(&lines, &at(Some(0)), rules).is_empty());
        assert!(mark(&lines, &at(None), rules).is_empty());
        let wild = Position {
            line: Some(1),
            end_line: Some(i32::MAX),
            column: Some(u32::MAX),
            end_column: Some(0),
        };
        assert_eq!(mark(&lines, &wild, rules), [Line::Source("a".into())]);
        assert_eq!(mark(&lines, &wild, RULES[0].1), [Line::Source("a".into())]);
    }
}
