//! Lines with cells below each other, and at the end of each a text of any length, of which a
//! terminal shows as much as fits.

use super::width;
use crate::cli::{Out, Style};
use std::io;

/// The narrowest place for the texts at the end.
const NARROWEST: usize = 20;

/// The widest column: names of a damaged process may be of any length, and padding to more than 65,535
/// panics.
pub const WIDEST: usize = 120;

/// What stands between two columns.
const GAP: usize = 2;

/// One line.
pub struct Line {
    /// What stands below each other.
    pub cells: Vec<String>,
    /// A cell that is printed in a style of its own.
    pub styled: Option<(usize, Style)>,
    /// What stands at the end.
    pub tail: String,
}

impl Line {
    /// A line of plain text.
    pub fn new(cells: Vec<String>, tail: impl Into<String>) -> Line {
        Line {
            cells,
            styled: None,
            tail: tail.into(),
        }
    }

    /// A line of words that head the columns.
    pub fn head(cells: &[&str], tail: &str) -> Line {
        Line::new(cells.iter().map(|&cell| cell.to_owned()).collect(), tail)
    }
}

/// Prints the lines. Their text may be the target's: it is escaped.
pub fn print(out: &mut Out<'_>, lines: &[Line]) -> io::Result<()> {
    let count = lines.iter().map(|line| line.cells.len()).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.cells.get(column));
        let widths = cells.map(|cell| width::of(cell).min(WIDEST));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let used: usize = widths.iter().map(|width| width + GAP).sum();
    // The whole of it where nobody looks at a screen.
    let room = match out.width {
        0 => usize::MAX,
        all => all.saturating_sub(used).max(NARROWEST),
    };
    for line in lines {
        for ((column, cell), width) in line.cells.iter().enumerate().zip(&widths) {
            match line.styled.filter(|(styled, _)| *styled == column) {
                Some((_, style)) => out.styled(style, cell)?,
                None => out.target(cell)?,
            }
            let pad = width.saturating_sub(width::of(cell)) + GAP;
            out.put(format_args!("{:pad$}", ""))?;
        }
        out.target(&width::cut(&line.tail, room))?;
        out.end()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_line_is_cut() {
        let lines = [
            Line::head(&["PID", "State"], "Command"),
            Line::new(
                vec!["  1234".into(), "S".into()],
                "python \x1b and a long line",
            ),
        ];
        let printed = |width| {
            let mut text = Vec::new();
            print(&mut Out::new(&mut text, false, width), &lines).unwrap();
            String::from_utf8(text).unwrap()
        };
        let expected = "PID     State  Command\n  1234  S      python \\x1b and a lo…\n";
        assert_eq!(printed(36), expected);
        assert!(printed(0).ends_with("long line\n"));
    }
    #[test]
    fn a_cell_of_any_length_is_printed() {
        let long = vec!["x".repeat(70_000), "S".into()];
        let lines = [Line::head(&["Name", "State"], ""), Line::new(long, "end")];
        let mut text = Vec::new();
        print(&mut Out::new(&mut text, false, 0), &lines).unwrap();
        assert!(text.len() > 70_000);
    }
}
