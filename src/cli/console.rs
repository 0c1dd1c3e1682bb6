//! Runs lines and shows their answers: text or JSON, to the terminal, the pager or a pipe, with
//! the notes that are new; and keeps the exit status.

use super::call::{Asked, Call};
use super::command::Report;
use super::document::Document;
use super::dump;
use super::interrupt::{Interrupt, Mode};
use super::line::{Line, split_pipe};
use super::out::complain;
use super::panics::Running;
use super::sink::{self, Sink};
use super::status::Status;
use super::terminal::Terminal;
use super::{Out, Session, Style, help};
use pydbg::diag::{Note, Severity};
use std::collections::HashSet;
use std::io::{self, Write};

/// Runs lines and shows their answers.
pub struct Console {
    /// What the output goes to.
    pub terminal: Terminal,
    /// The exit status so far.
    pub status: Status,
    /// Nobody reads the output any more, or a batch was interrupted: run nothing further.
    pub closed: bool,
    /// Whether Ctrl-C ended the last command.
    pub(super) interrupted: bool,
    /// Whether the answers are those of `watch`: never paged.
    pub(super) watching: bool,
    running: Running,
    noted: HashSet<String>,
}

/// Something to do, and how to speak of it.
pub struct Job<'a> {
    /// The command, abbreviations written out.
    pub name: &'a str,
    /// The shell command that reads the answer.
    pub pipe: Option<&'a str>,
    /// The exit status if it fails.
    pub failure: Status,
    /// Only errors are shown.
    pub quiet: bool,
}

impl Console {
    /// A console for `session`, which gets Ctrl-C from now on.
    pub fn new(session: &mut Session) -> io::Result<Console> {
        session.interrupt = Interrupt::install(session.cancel.clone())?;
        Ok(Console {
            terminal: Terminal::detect(),
            status: Status::Whole,
            closed: false,
            interrupted: false,
            watching: false,
            running: Running::install(),
            noted: HashSet::new(),
        })
    }

    /// Runs one line as typed, and the scripts it starts.
    pub fn line(&mut self, session: &mut Session, text: &str) {
        self.one(session, text);
        self.watch(session);
        while !session.quit && !self.closed {
            let Some(line) = session.pending.pop_front() else {
                break;
            };
            let text = line.text.clone();
            session.script = Some(line);
            self.one(session, &text);
            self.watch(session);
            session.script = None;
        }
        session.pending.clear();
    }

    /// Runs one line as typed.
    pub(super) fn one(&mut self, session: &mut Session, text: &str) {
        match Line::parse(text) {
            Line::Empty | Line::Comment => {}
            Line::Shell(command) => {
                self.command(session, &format!("shell {command}"), false);
            }
            Line::Pipe(rest) => self.command(session, rest, true),
            Line::Command(text) => self.command(session, text, false),
        }
    }

    /// Runs a command. `must_pipe` is set for gdb's own form, `| CMD | SHELL`.
    fn command(&mut self, session: &mut Session, text: &str, must_pipe: bool) {
        let (asked, pipe) = match self.asked(session, text, must_pipe) {
            Ok(asked) => asked,
            Err(error) => {
                let job = Job {
                    name: text,
                    pipe: None,
                    failure: Status::Failed,
                    quiet: false,
                };
                return self.failed(session, &job, &error);
            }
        };
        let name = match &asked {
            Asked::Call(call) => call.text.clone(),
            Asked::Group(group) => group.clone(),
        };
        let job = Job {
            name: &name,
            pipe: pipe.as_deref(),
            failure: Status::Failed,
            quiet: false,
        };
        self.perform(session, &job, |session| match &asked {
            Asked::Group(group) => Ok(Box::new(help::group(session, group))),
            Asked::Call(call) => session.run(call),
        });
    }

    /// Does a job and shows its answer; whether there was one.
    pub fn perform(
        &mut self,
        session: &mut Session,
        job: &Job<'_>,
        work: impl FnOnce(&mut Session) -> anyhow::Result<Box<dyn Report>>,
    ) -> bool {
        session.cancel.reset();
        session.interrupt.enter(Mode::Busy);
        let running = self.running.clone();
        let outcome = running.guard(job.name, || work(session));
        _ = running.guard(job.name, || session.release());
        let cancelled = session.cancel.is_cancelled();
        // From here on Ctrl-C stops the printing.
        session.cancel.reset();
        let answered = match outcome {
            // The answer of watch is what comes of it.
            Some(Ok(_)) if job.quiet || session.watch.is_some() => true,
            Some(Ok(report)) => {
                let shown = running.guard(job.name, || {
                    self.deliver(session, job.name, job.pipe, Ok(report.as_ref()));
                });
                if shown.is_none() {
                    self.failed(session, job, BUG);
                }
                shown.is_some()
            }
            Some(Err(error)) => {
                let words = match cancelled {
                    true => dump::quit(&error, session).unwrap_or("Quit").to_owned(),
                    false => format!("{error:#}"),
                };
                self.failed(session, job, &words);
                false
            }
            None => {
                self.failed(session, job, BUG);
                false
            }
        };
        session.interrupt.enter(Mode::Idle);
        // Who interrupts a script or a batch wants all of it to end.
        self.interrupted = cancelled || session.cancel.is_cancelled();
        if self.interrupted {
            self.status.worsen(job.failure);
            session.pending.clear();
            self.closed |= !session.interactive;
        }
        answered
    }

    fn asked(
        &self,
        session: &Session,
        text: &str,
        must_pipe: bool,
    ) -> Result<(Asked, Option<String>), String> {
        let words = |error: anyhow::Error| format!("{error:#}");
        let (head, pipe) = split_pipe(text);
        let Some(shell) = pipe else {
            if must_pipe {
                return Err("Missing delimiter before SHELL_COMMAND.".into());
            }
            return Ok((session.parse(text).map_err(words)?, None));
        };
        match session.parse(head).map_err(words)? {
            Asked::Call(Call { command, .. }) if !command.pipes && !must_pipe => {
                Ok((session.parse(text).map_err(words)?, None))
            }
            _ if shell.is_empty() => Err("Missing SHELL_COMMAND behind |.".into()),
            asked => Ok((asked, Some(shell.to_owned()))),
        }
    }

    /// A job failed: says so, and ends the scripts that run.
    fn failed(&mut self, session: &mut Session, job: &Job<'_>, error: &str) {
        session.pending.clear();
        let error = match &session.script {
            Some(line) => format!(
                "{}:{}: Error in sourced command file:\n{error}",
                line.file.display(),
                line.number
            ),
            None => error.to_owned(),
        };
        self.status.worsen(job.failure);
        self.deliver(session, job.name, None, Err(&error));
    }

    /// Shows an answer that is not a command's own.
    pub(super) fn answer(&mut self, session: &Session, name: &str, report: &dyn Report) {
        self.deliver(session, name, None, Ok(report));
    }

    /// Shows an answer, whole.
    fn deliver(
        &mut self,
        session: &Session,
        name: &str,
        pipe: Option<&str>,
        answer: Result<&dyn Report, &str>,
    ) {
        let page = match session.interactive && !session.json {
            true => self.page(session),
            false => None,
        };
        let mut sink = match Sink::open(pipe, page, &session.interrupt) {
            Ok(sink) => sink,
            Err(error) => {
                complain(&format!("cannot start the shell: {error}"));
                return self.status.worsen(Status::Failed);
            }
        };
        let written = if session.json {
            self.json(session, name, answer, &mut sink)
        } else {
            self.text(session, answer, &mut sink)
        };
        let finished = sink.finish();
        match written.and(finished) {
            Ok(()) => {}
            Err(error) if sink::is_cancelled(&error) => complain("Quit"),
            // The reader has seen enough: a pager that was left, or `| head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed |= pipe.is_none() && page.is_none();
            }
            Err(error) => {
                complain(&format!("cannot write: {error}"));
                self.status.worsen(Status::Failed);
                self.closed = true;
            }
        }
    }

    fn page(&self, session: &Session) -> Option<(usize, usize)> {
        let wanted =
            !self.watching && self.terminal.output && session.settings.get_bool("pagination");
        let rows = wanted.then(|| self.terminal.height(&session.settings))??;
        Some((rows, self.terminal.width(&session.settings)))
    }

    fn text(
        &mut self,
        session: &Session,
        answer: Result<&dyn Report, &str>,
        sink: &mut Sink,
    ) -> io::Result<()> {
        let to_screen = !sink.is_shell();
        let colour = session.settings.get_bool("style enabled")
            && match to_screen {
                true => self.terminal.colour,
                false => self.terminal.colour_forced,
            };
        let width = match to_screen {
            true => self.terminal.width(&session.settings),
            false => 0,
        };
        let cancel = session.cancel.clone();
        let mut guarded = sink::Cancellable::new(sink, cancel);
        let mut out = Out::new(&mut guarded, colour, width);
        match answer {
            Ok(report) => report.text(&mut out)?,
            Err(error) => {
                io::stdout().flush()?;
                complain(error);
            }
        }
        for note in self.new_notes(session, answer, false) {
            if answer.is_ok_and(|report| report.covers(&note)) {
                continue;
            }
            out.styled(Style::Faint, &format!("note: {}", note.text))?;
            out.end()?;
        }
        guarded.flush()
    }

    fn json(
        &mut self,
        session: &Session,
        name: &str,
        answer: Result<&dyn Report, &str>,
        sink: &mut Sink,
    ) -> io::Result<()> {
        // The data comes first: making it may notice something.
        let data = answer.ok().map(|report| report.json());
        let document = Document {
            command: name,
            target: session.inferior.origin().cloned().into(),
            inferior: session.has_family().then_some(session.inferior.number),
            data,
            error: answer.err(),
            notes: self.new_notes(session, answer, true),
        };
        let mut guarded = sink::Cancellable::new(sink, session.cancel.clone());
        document.write(&mut guarded)?;
        guarded.flush()
    }

    /// The notes to show with an answer: those of the target and of Python that were not shown
    /// yet, then the answer's own (`repeat_own`: even if the same was said before, because a JSON
    /// document stands alone).
    fn new_notes(
        &mut self,
        session: &Session,
        answer: Result<&dyn Report, &str>,
        repeat_own: bool,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        for inferior in session.inferiors() {
            for mut note in inferior.notes() {
                if session.has_family() {
                    note.text = format!("inferior {}: {}", inferior.number, note.text);
                }
                if self.noted.insert(note.text.clone()) {
                    notes.push(note);
                }
            }
        }
        for note in answer.map(|report| report.notes()).unwrap_or_default() {
            if note.severity == Severity::Partial {
                self.status.worsen(Status::Partial);
            }
            let is_new = self.noted.insert(note.text.clone());
            if (is_new || repeat_own) && !notes.contains(&note) {
                notes.push(note);
            }
        }
        if notes.iter().any(|note| note.severity == Severity::Partial) {
            self.status.worsen(Status::Partial);
        }
        notes
    }
}

/// The error of a command that panicked; the panic's own message came before it.
const BUG: &str = "the command did not finish";
