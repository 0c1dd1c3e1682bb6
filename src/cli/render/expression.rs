//! An expression with all its lines, marked as Lib/traceback.py of CPython 3.13 and 3.14 does
//! (`StackSummary._format_frame_summary`).

use super::anchors::{self, Anchors, Shape};
use super::carets::{Line, char_index, push_marks};
use super::width::Shown;
use pydbg::python::Position;

/// The rules of 3.13 and later.
pub fn several_lines(
    lines: &[String],
    position: &Position,
    count: usize,
    column: u32,
    end_column: u32,
    calls: bool,
) -> Option<Vec<Line>> {
    let first = usize::try_from(position.line?).ok()?.checked_sub(1)?;
    let original = lines.get(first..first.checked_add(count)?)?;
    let dedented = dedent(original);
    let removed = original.first()?.chars().count() - dedented.first()?.len();
    let start = char_index(original.first()?, column).saturating_sub(removed);
    let end = char_index(original.last()?, end_column).saturating_sub(removed);
    let expression = Expression::new(&dedented, start, end, calls)?;
    Some(expression.significant(expression.is_marked()))
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
    fn new(lines: &[Vec<char>], start: usize, end: usize, calls: bool) -> Option<Expression<'_>> {
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
        let found =
            anchors::find(&segment).filter(|found: &Anchors| calls || found.shape != Shape::Call);
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

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c == '_' || c.is_alphanumeric())
        && !text.starts_with(|c: char| c.is_ascii_digit())
}
