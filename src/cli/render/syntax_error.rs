//! The lines that Python prints of a `SyntaxError` before its message: the place, the line and the
//! carets (Lib/traceback.py `_format_syntax_error` of each version).

use super::dialect::Syntax;
use super::width::Shown;
use pydbg::python::exceptions::SyntaxDetails;

/// Spaces before the line and the carets.
const INDENT: &str = "    ";

/// The lines before the last one, and the text of the last one behind the class and a colon; `None`
/// where the version prints it like any other exception.
pub fn lines(details: &SyntaxDetails, how: Syntax) -> (Vec<String>, String) {
    let mut lines = Vec::new();
    let file = match details.filename.as_deref() {
        Some("") | None => "<string>",
        Some(file) => file,
    };
    let mut suffix = String::new();
    match (details.line, how) {
        (Some(line), _) => lines.push(format!("  File \"{file}\", line {line}")),
        (None, Syntax::Args | Syntax::Caret) => {
            lines.push(format!("  File \"{file}\", line None"));
        }
        (None, _) => {
            if let Some(file) = &details.filename {
                suffix = format!(" ({file})");
            }
        }
    }
    if let Some(text) = &details.text {
        lines.extend(source(text, details, how));
    }
    let msg = details.msg.as_deref().filter(|msg| !msg.is_empty());
    let msg = msg.unwrap_or("<no detail available>");
    (lines, format!("{msg}{suffix}"))
}

/// The line and the carets below it.
fn source(text: &str, details: &SyntaxDetails, how: Syntax) -> Vec<String> {
    let right: Vec<char> = text.trim_end_matches('\n').chars().collect();
    match how {
        Syntax::Args | Syntax::Caret | Syntax::OptionalPlace => {
            let mut lines = vec![format!("{INDENT}{}", text.trim())];
            if let Some(offset) = details.offset {
                // Python slices with what may be negative: counted from the end.
                let offset = offset.min(count(&right)) - 1;
                let before: String = slice_to(&right, offset).iter().collect();
                let before: Vec<char> = before.trim_start().chars().collect();
                lines.push(format!("{INDENT}{}^", blank(&before)));
            }
            lines
        }
        _ => {
            let left: Vec<char> = (right.iter().copied())
                .skip_while(|c| matches!(c, ' ' | '\n' | '\u{c}'))
                .collect();
            let spaces = count(&right) - count(&left);
            let mut lines = vec![format!("{INDENT}{}", left.iter().collect::<String>())];
            let found = range(text, &right, details, how);
            if let Some((start, end)) = found.map(|(start, end)| (start - spaces, end - spaces))
                && start >= 0
            {
                lines.push(format!("{INDENT}{}", marks(&left, start, end, how)));
            }
            lines
        }
    }
}

/// First column of the carets and the one behind the last, from 0.
fn range(text: &str, right: &[char], details: &SyntaxDetails, how: Syntax) -> Option<(i64, i64)> {
    let given = details.end_offset.filter(|end| *end != 0);
    match how {
        Syntax::Args | Syntax::Caret | Syntax::OptionalPlace => None,
        Syntax::StrippedCaret => {
            let start = details.offset.unwrap_or(0).checked_sub(1)?;
            Some((start, start.checked_add(1)?))
        }
        Syntax::Range => {
            let start = details.offset?;
            let end = given.unwrap_or(start);
            let end = if start == end || end == -1 {
                start.checked_add(1)?
            } else {
                end
            };
            Some((start.checked_sub(1)?, end.checked_sub(1)?))
        }
        Syntax::RangeInLine | Syntax::RangeInColumns => {
            let mut start = details.offset?;
            let behind = count(right) + 1;
            let whole = text.chars().count() as i64;
            let mut end = match details.line == details.end_line {
                true => given.unwrap_or(start),
                false => behind,
            };
            if whole > 0 && start > whole {
                start = behind;
            }
            if whole > 0 && end > whole {
                end = behind;
            }
            if start >= end || end < 0 {
                end = start.checked_add(1)?;
            }
            Some((start.checked_sub(1)?, end.checked_sub(1)?))
        }
    }
}

/// Carets from column `start` to `end` of a line. They are no longer than the line and one more,
/// whatever the numbers say.
fn marks(line: &[char], start: i64, end: i64, how: Syntax) -> String {
    let most = count(line) + 1;
    let length = end.saturating_sub(start).min(most);
    let start = start.min(most);
    let end = start + length;
    let carets = |count: i64| "^".repeat(usize::try_from(count).unwrap_or(0));
    let before = slice_to(line, start);
    match how {
        Syntax::RangeInColumns => {
            let shown = Shown::of(line);
            let column = |at: i64| shown.column(usize::try_from(at).unwrap_or(0).min(line.len()));
            let width = column(end).saturating_sub(column(start));
            let width = if width == 0 { length } else { width as i64 };
            format!("{}{}", " ".repeat(column(start)), carets(width))
        }
        _ => format!("{}{}", blank(before), carets(length)),
    }
}

/// `characters[:end]` as Python slices.
fn slice_to(characters: &[char], end: i64) -> &[char] {
    let end = if end < 0 {
        end.saturating_add(count(characters)).max(0)
    } else {
        end
    };
    let end = usize::try_from(end).unwrap_or(0).min(characters.len());
    characters.get(..end).unwrap_or_default()
}

fn count(characters: &[char]) -> i64 {
    characters.len() as i64
}

/// Blanks as wide as the characters; what is blank already, such as a tab, stays.
fn blank(characters: &[char]) -> String {
    let blank = |c: &char| if c.is_whitespace() { *c } else { ' ' };
    characters.iter().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(text: &str, offset: i64, end: Option<i64>) -> SyntaxDetails {
        SyntaxDetails {
            msg: Some("bad".into()),
            filename: Some("/x/f.py".into()),
            line: Some(3),
            offset: Some(offset),
            end_line: end.map(|_| 3),
            end_offset: end,
            text: Some(text.into()),
        }
    }

    fn shown(details: &SyntaxDetails, how: Syntax) -> Vec<String> {
        lines(details, how).0.split_off(1)
    }

    // What traceback.py of 2.7, 3.8, 3.9, 3.11 and 3.13 prints.

    #[test]
    fn carets_stand_below_the_place() {
        let bad = details("  x = = 1\n", 7, None);
        for how in [
            Syntax::Args,
            Syntax::OptionalPlace,
            Syntax::StrippedCaret,
            Syntax::Range,
        ] {
            assert_eq!(shown(&bad, how), ["    x = = 1", "        ^"], "{how:?}");
        }
        let range = details("  x = = 1\n", 5, Some(8));
        assert_eq!(shown(&range, Syntax::Range), ["    x = = 1", "      ^^^"]);
        assert_eq!(
            shown(&range, Syntax::RangeInLine),
            ["    x = = 1", "      ^^^"]
        );
        assert_eq!(
            shown(&range, Syntax::RangeInColumns),
            ["    x = = 1", "      ^^^"]
        );
    }

    #[test]
    fn absurd_columns_are_bounded() {
        for offset in [i64::MIN, -1, 0, 1, i64::MAX] {
            for end in [None, Some(i64::MIN), Some(-1), Some(i64::MAX)] {
                let bad = details("x\n", offset, end);
                for how in [
                    Syntax::Args,
                    Syntax::Caret,
                    Syntax::OptionalPlace,
                    Syntax::StrippedCaret,
                    Syntax::Range,
                    Syntax::RangeInLine,
                    Syntax::RangeInColumns,
                ] {
                    let lines = shown(&bad, how);
                    assert!(lines.iter().all(|line| line.len() < 40), "{lines:?}");
                }
            }
        }
    }

    #[test]
    fn a_missing_line_number_leaves_the_file_to_the_message() {
        let bad = SyntaxDetails {
            line: None,
            text: None,
            ..details("", 0, None)
        };
        let (before, last) = lines(&bad, Syntax::Range);
        assert!(before.is_empty());
        assert_eq!(last, "bad (/x/f.py)");
    }
}
