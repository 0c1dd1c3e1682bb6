//! Lines of a Python source file around the current one, as gdb's libpython.py lists them:
//!
//! ```text
//!   12            time.sleep(0.3)
//!  >13            with dst.lock:
//! ```

use super::width::Shown;
use crate::cli::{Out, Style};
use anyhow::{anyhow, bail};
use std::io;

/// First and last line to list, from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lines {
    /// The first line.
    pub first: usize,
    /// The last line, included.
    pub last: usize,
}

impl Lines {
    /// About `size` lines around `current`, as many before as behind.
    pub fn around(current: usize, size: usize) -> Lines {
        Lines {
            first: current.saturating_sub(size / 2).max(1),
            last: current.saturating_add(size / 2),
        }
    }

    /// From `START` or `START,END`; `START` alone stands for `size` lines and one.
    pub fn parse(text: &str, size: usize) -> anyhow::Result<Lines> {
        let number = |text: &str| -> anyhow::Result<usize> {
            let text = text.trim();
            text.parse()
                .map_err(|_| anyhow!("\"{text}\" is not a line number"))
        };
        let (first, last) = match text.split_once(',') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => {
                let first = number(text)?;
                (first, first.saturating_add(size))
            }
        };
        if last < first {
            bail!("the last line, {last}, is before the first, {first}");
        }
        Ok(Lines {
            first: first.max(1),
            last,
        })
    }

    /// The `size` lines that follow these.
    pub fn following(self, size: usize) -> Lines {
        Lines {
            first: self.last.saturating_add(1),
            last: self.last.saturating_add(size),
        }
    }

    /// These lines of a file of `length` lines, or gdb's complaint.
    pub fn within(self, length: usize, file: &str) -> anyhow::Result<Lines> {
        if self.first > length {
            bail!(
                "Line number {} out of range; \"{file}\" has {length} lines.",
                self.first
            );
        }
        Ok(Lines {
            first: self.first,
            last: self.last.min(length),
        })
    }
}

/// Prints one line with its number; the current one is marked.
pub fn line(out: &mut Out<'_>, number: usize, text: &str, current: bool) -> io::Result<()> {
    let text = Shown::of(&text.chars().collect::<Vec<_>>()).text;
    let label = if current {
        format!(">{number}")
    } else {
        number.to_string()
    };
    if current {
        out.styled(Style::Marked, &format!("{label:>4}    {text}"))?;
    } else {
        out.put(format_args!("{label:>4}    "))?;
        out.target(&text)?;
    }
    out.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(Lines::around(3, 10), Lines { first: 1, last: 8 });
        assert_eq!(Lines::parse("7", 10).unwrap(), Lines { first: 7, last: 17 });
        assert_eq!(
            Lines::parse("7, 9", 10).unwrap(),
            Lines { first: 7, last: 9 }
        );
        assert!(Lines::parse("9,7", 10).is_err());
        assert!(Lines::parse("x", 10).is_err());
        let next = Lines { first: 3, last: 8 }.following(10);
        assert_eq!(next, Lines { first: 9, last: 18 });
        assert_eq!(next.within(12, "f").unwrap().last, 12);
        assert!(next.within(8, "f").is_err());
    }
}
