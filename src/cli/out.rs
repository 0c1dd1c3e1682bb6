//! The one place where text leaves pydbg. Text of the target goes through [`Out::target`], which
//! escapes it; colours come from pydbg alone.

use pydbg::escape::escape;
use std::fmt;
use std::io::{self, Write};

/// Says on standard error what went wrong; may quote the target. It may fail when nobody reads
/// standard error any more, and there is no one to tell then.
pub fn complain(text: &str) {
    let mut stderr = io::stderr().lock();
    for line in text.lines() {
        _ = writeln!(stderr, "{}", escape(line));
    }
}

/// What a piece of text is; the colour follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// A function's name.
    Function,
    /// A file's name.
    File,
    /// An address or number.
    Address,
    /// The marked source line.
    Marked,
    /// Something less sure: notes, fallbacks.
    Faint,
    /// A heading or verdict.
    Strong,
}

/// Where a report's text goes.
pub struct Out<'a> {
    writer: &'a mut dyn Write,
    colour: bool,
    /// Columns of the terminal; tables are wrapped to it. 0 = no limit.
    pub width: usize,
}

impl<'a> Out<'a> {
    /// Writes to `writer`, with colours if `colour`.
    pub fn new(writer: &'a mut dyn Write, colour: bool, width: usize) -> Out<'a> {
        Out {
            writer,
            colour,
            width,
        }
    }

    /// pydbg's own words. Use with `write!`-style arguments that hold no text of the target.
    pub fn put(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.writer.write_fmt(text)
    }

    /// Text of the target, escaped.
    pub fn target(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(escape(text).as_bytes())
    }

    /// Text of the target or of pydbg, escaped and coloured.
    pub fn styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        if !self.colour {
            return self.target(text);
        }
        let ansi = match style {
            Style::Function => anstyle::AnsiColor::Yellow.on_default(),
            Style::File => anstyle::AnsiColor::Green.on_default(),
            Style::Address => anstyle::AnsiColor::Blue.on_default(),
            Style::Marked => anstyle::Style::new().bold(),
            Style::Faint => anstyle::Style::new().dimmed(),
            Style::Strong => anstyle::AnsiColor::Red.on_default().bold(),
        };
        write!(self.writer, "{ansi}")?;
        self.target(text)?;
        write!(self.writer, "{ansi:#}")
    }

    /// Says which files were written, if any were; whether so.
    pub fn wrote<'f>(
        &mut self,
        what: &str,
        files: impl IntoIterator<Item = &'f String>,
    ) -> io::Result<bool> {
        let mut some = false;
        for file in files {
            self.put(format_args!("Wrote {what} to "))?;
            self.target(file)?;
            self.put(format_args!(".\n"))?;
            some = true;
        }
        Ok(some)
    }

    /// Ends the line.
    pub fn end(&mut self) -> io::Result<()> {
        self.writer.write_all(b"\n")
    }
}
