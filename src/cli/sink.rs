//! Where an answer's bytes go: standard output, the pager, or the shell command behind a pipe.

use super::interrupt::{Interrupt, Mode};
use super::pager::Pager;
use pydbg::diag::Cancel;
use std::io::{self, BufWriter, Stdout, Write};
use std::process::{Child, Command, Stdio};

/// Where an answer's bytes go.
pub enum Sink {
    /// Standard output.
    Plain(BufWriter<Stdout>),
    /// Standard output, page by page.
    Pager(Pager),
    /// The standard input of a shell command.
    Shell(Child),
}

impl Sink {
    /// The shell command of a pipe if there is one, else pages of `(rows, columns)`, else
    /// standard output.
    pub fn open(
        pipe: Option<&str>,
        page: Option<(usize, usize)>,
        interrupt: &Interrupt,
    ) -> io::Result<Sink> {
        io::stdout().flush()?;
        Ok(match (pipe, page) {
            (Some(command), _) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(command).stdin(Stdio::piped());
                let child = shell.spawn()?;
                interrupt.enter(Mode::Lent);
                Sink::Shell(child)
            }
            (None, Some((rows, columns))) => {
                Sink::Pager(Pager::new(rows, columns, interrupt.clone()))
            }
            (None, None) => Sink::Plain(BufWriter::new(io::stdout())),
        })
    }

    /// Whether this is the shell command behind a pipe.
    pub fn is_shell(&self) -> bool {
        matches!(self, Sink::Shell(_))
    }

    /// Ends the output and waits for the program that reads it.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Sink::Plain(mut stdout) => stdout.flush(),
            Sink::Pager(pager) => pager.finish(),
            Sink::Shell(mut child) => {
                drop(child.stdin.take());
                child.wait().map(|_| ())
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(stdout) => stdout.write(bytes),
            Sink::Pager(pager) => pager.write(bytes),
            Sink::Shell(child) => match &mut child.stdin {
                Some(stdin) => stdin.write(bytes),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(stdout) => stdout.flush(),
            Sink::Pager(pager) => pager.flush(),
            Sink::Shell(child) => child.stdin.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

/// A writer that fails once Ctrl-C was pressed.
pub struct Cancellable<'a> {
    sink: &'a mut Sink,
    cancel: Cancel,
}

impl<'a> Cancellable<'a> {
    /// Guards `sink`.
    pub fn new(sink: &'a mut Sink, cancel: Cancel) -> Cancellable<'a> {
        Cancellable { sink, cancel }
    }
}

impl Write for Cancellable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other(Cancelled));
        }
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// The error of a write after Ctrl-C.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
struct Cancelled;

/// Whether a write failed because of Ctrl-C.
pub fn is_cancelled(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|source| source.is::<Cancelled>())
}
