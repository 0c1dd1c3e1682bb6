//! Long answers go through the pager. An answer that fits the terminal is printed as it is, so
//! the pager starts only when the first page is full.

use super::interrupt::{Interrupt, Mode};
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// A writer that turns to the pager once a page is full.
pub struct Pager {
    rows: usize,
    columns: usize,
    held: Vec<u8>,
    shown: Position,
    state: State,
    interrupt: Interrupt,
}

enum State {
    /// The first page is not full yet.
    Holding,
    /// The pager runs.
    Paging(Child),
    /// There is no pager: straight to the terminal.
    Direct,
}

/// How far the text has gone on the terminal.
#[derive(Default)]
struct Position {
    row: usize,
    column: usize,
    in_escape: bool,
}

impl Pager {
    /// A pager for a terminal of this size; `columns` 0 means that lines do not wrap.
    pub fn new(rows: usize, columns: usize, interrupt: Interrupt) -> Pager {
        Pager {
            rows,
            columns,
            held: Vec::new(),
            shown: Position::default(),
            state: State::Holding,
            interrupt,
        }
    }

    /// Shows what is still held, or waits until the pager is left.
    pub fn finish(self) -> io::Result<()> {
        match self.state {
            State::Holding => io::stdout().write_all(&self.held),
            State::Direct => Ok(()),
            State::Paging(mut child) => {
                drop(child.stdin.take());
                child.wait().map(|_| ())
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.state = match spawn() {
            Ok(child) => {
                self.interrupt.enter(Mode::Lent);
                State::Paging(child)
            }
            Err(_) => State::Direct,
        };
        self.write_all(&held)
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Paging(child) => match &mut child.stdin {
                Some(stdin) => stdin.write(bytes),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
            State::Direct => io::stdout().write(bytes),
            State::Holding => {
                self.held.extend_from_slice(bytes);
                self.shown.advance(bytes, self.columns);
                // The prompt needs the last row.
                if self.shown.row >= self.rows.max(2) {
                    self.start()?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Paging(child) => child.stdin.as_mut().map_or(Ok(()), Write::flush),
            State::Direct => io::stdout().flush(),
            State::Holding => Ok(()),
        }
    }
}

impl Position {
    /// Moves on by `bytes`. Colours take no room; a character counts as one column, which is off
    /// for wide ones and only decides whether the pager starts.
    fn advance(&mut self, bytes: &[u8], columns: usize) {
        for &byte in bytes {
            match byte {
                b'\n' => {
                    self.row += 1;
                    self.column = 0;
                }
                b'\x1b' => self.in_escape = true,
                _ if self.in_escape => self.in_escape = byte != b'm',
                // A continuation byte of UTF-8 belongs to the character before.
                0x80..=0xbf => {}
                _ => {
                    self.column += 1;
                    if columns != 0 && self.column > columns {
                        self.row += 1;
                        self.column = 1;
                    }
                }
            }
        }
    }
}

/// Starts `$PAGER`, else `less -RFX`.
fn spawn() -> io::Result<Child> {
    let mut command = match std::env::var("PAGER") {
        Ok(pager) if !pager.trim().is_empty() => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(pager);
            shell
        }
        _ => {
            let mut less = Command::new("less");
            less.arg("-RFX");
            less
        }
    };
    command.stdin(Stdio::piped()).spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_terminal_shows_them() {
        let rows = |text: &str, columns: usize| {
            let mut position = Position::default();
            position.advance(text.as_bytes(), columns);
            position.row
        };
        assert_eq!(rows("a\nb\n", 80), 2);
        assert_eq!(rows("12345678\n", 4), 2);
        assert_eq!(rows("12345678\n", 8), 1);
        assert_eq!(rows("\x1b[31mäöü\x1b[0m\n", 3), 1);
        assert_eq!(rows("12345678\n", 0), 1);
    }
}
