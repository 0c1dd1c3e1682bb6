//! Source lines with the expression marked as CPython's own traceback marks it: `traceback.c` and
//! Lib/traceback.py of 3.11 and 3.12 (one line, operators and subscripts), Lib/traceback.py of
//! 3.13 and 3.14 (calls too, and expressions over several lines).

use super::anchors::{self, Anchors, Shape};
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
    if first.len() > LONGEST {
        return plain();
    }
    let found = if rules.lines {
        several_lines(lines, position, count, column, end_column, rules)
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
fn char_index(line: &str, offset: u32) -> usize {
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

/// The rules of 3.13 and later.
fn several_lines(
    lines: &[String],
    position: &Position,
    count: usize,
    column: u32,
    end_column: u32,
    rules: Rules,
) -> Option<Vec<Line>> {
    let first = usize::try_from(position.line?).ok()?.checked_sub(1)?;
    let original = lines.get(first..first.checked_add(count)?)?;
    let dedented = dedent(original);
    let removed = original.first()?.chars().count() - dedented.first()?.len();
    let start = char_index(original.first()?, column).saturating_sub(removed);
    let end = char_index(original.last()?, end_column).saturating_sub(removed);
    let expression = Expression::new(&dedented, start, end, rules)?;
    if !expression.is_marked() {
        return Some(expression.significant(false));
    }
    Some(expression.significant(true))
}

/// The lines without the indentation they share, as `textwrap.dedent` does; blank lines count for
/// nothing.
fn dedent(lines: &[String]) -> Vec<Vec<char>> {
    let indent_of = |line: &String| -> Vec<char> {
        line.chars()
            .take_while(|c| matches!(c, ' ' | '\t'))
            .collect()
    };
    let shared = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(indent_of)
        .reduce(|shared, indent| {
            shared
                .into_iter()
                .zip(indent)
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect()
        })
        .map_or(0, |indent| indent.len());
    lines
        .iter()
        .map(|line| {
            if line.trim().is_empty() {
                Vec::new()
            } else {
                line.trim_end().chars().skip(shared).collect()
            }
        })
        .collect()
}

/// An expression in its dedented lines.
struct Expression<'a> {
    lines: &'a [Vec<char>],
    /// First character, on the first line.
    start: usize,
    /// Behind the last character, on the last line.
    end: usize,
    /// The operator: where it starts and ends, each a line and a character.
    inner: Option<((usize, usize), (usize, usize))>,
    shape: Option<Shape>,
    /// The called or subscripted part, or the left operand.
    head: String,
}

impl Expression<'_> {
    fn new(lines: &[Vec<char>], start: usize, end: usize, rules: Rules) -> Option<Expression<'_>> {
        let last = lines.len().checked_sub(1)?;
        let end = end.min(lines.get(last)?.len());
        let start = start.min(lines.first()?.len());
        let mut segment: Vec<char> = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let from = if index == 0 { start } else { 0 };
            let to = if index == last { end } else { line.len() };
            segment.extend(line.get(from..to)?);
            if index < last {
                segment.push('\n');
            }
        }
        let found = anchors::find(&segment)
            .filter(|found: &Anchors| rules.calls || found.shape != Shape::Call);
        let place = |at: usize| {
            let before = segment.get(..at).unwrap_or(&segment);
            let line = before.iter().filter(|c| **c == '\n').count();
            let column = before.iter().rev().take_while(|c| **c != '\n').count();
            (line, if line == 0 { column + start } else { column })
        };
        Some(Expression {
            lines,
            start,
            end,
            inner: found.map(|found| (place(found.start), place(found.end))),
            shape: found.map(|found| found.shape),
            head: found.map_or_else(String::new, |found| {
                segment.iter().take(found.start).collect()
            }),
        })
    }

    /// Whether marks tell anything: not when the statement is nothing but the expression.
    fn is_marked(&self) -> bool {
        let (Some(first), Some(last)) = (self.lines.first(), self.lines.last()) else {
            return false;
        };
        let before: String = first.iter().take(self.start).collect();
        let after: String = last.iter().skip(self.end).collect();
        let (before, after) = (before.trim(), after.trim());
        if self.shape == Some(Shape::Call) && (after.is_empty() || after.starts_with('#')) {
            let assigned = before.strip_suffix('=').map(str::trim_end);
            let statement_is_call =
                (before == "return" && is_name(self.head.trim())) || assigned.is_some_and(is_name);
            if statement_is_call {
                return false;
            }
        }
        self.inner.is_some() || !before.is_empty() || !after.is_empty()
    }

    /// The first and last line and those around the operator's ends.
    fn significant(&self, marked: bool) -> Vec<Line> {
        let count = self.lines.len();
        let mut wanted = vec![false; count];
        let mut want = |line: usize| {
            if let Some(slot) = wanted.get_mut(line) {
                *slot = true;
            }
        };
        want(0);
        want(count.saturating_sub(1));
        if let Some(((left, _), (right, _))) = self.inner {
            for line in [left, right] {
                for near in line.saturating_sub(1)..=line + 1 {
                    want(near);
                }
            }
        }
        let mut result = Vec::new();
        let mut previous: Option<usize> = None;
        for line in (0..count).filter(|line| wanted.get(*line) == Some(&true)) {
            match previous.map_or(0, |previous| line - previous - 1) {
                0 => {}
                1 => self.put(line - 1, marked, &mut result),
                gap => result.push(Line::Gap(gap)),
            }
            self.put(line, marked, &mut result);
            previous = Some(line);
        }
        result
    }

    fn put(&self, index: usize, marked: bool, result: &mut Vec<Line>) {
        let Some(line) = self.lines.get(index) else {
            return;
        };
        let shown = Shown::of(line);
        result.push(Line::Source(shown.text.clone()));
        if !marked {
            return;
        }
        let indent = line.iter().take_while(|c| c.is_whitespace()).count();
        let from = if index == 0 {
            self.start.max(indent)
        } else {
            indent
        };
        let to = if index + 1 == self.lines.len() {
            self.end
        } else {
            line.len()
        };
        let mut marks = String::new();
        for at in 0..to {
            let mark = match self.inner {
                _ if at < from => ' ',
                Some((left, right)) if (index, at) >= left && (index, at) < right => '^',
                Some(_) => '~',
                None => '^',
            };
            let width = shown.column(at + 1) - shown.column(at);
            marks.extend(std::iter::repeat_n(mark, width));
        }
        push_marks(result, marks);
    }
}

/// Adds a line of marks unless it is blank, as below an empty line of an expression.
fn push_marks(lines: &mut Vec<Line>, marks: String) {
    if !marks.trim().is_empty() {
        lines.push(Line::Marks(marks));
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c == '_' || c.is_alphanumeric())
        && !text.starts_with(|c: char| c.is_ascii_digit())
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
