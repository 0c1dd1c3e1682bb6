//! `watch`: one line again and again, on a live target that runs on in between.

use super::Session;
use super::console::Console;
use super::interrupt::Mode;
use super::plain::Plain;
use serde_json::json;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How often it is seen that Ctrl-C was pressed or the target has ended.
const GLANCE: Duration = Duration::from_millis(50);

/// What is to be repeated.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The line.
    pub line: String,
    /// How long the target is left alone between two rounds.
    pub every: Duration,
    /// How many rounds, if not for ever.
    pub count: Option<u64>,
}

/// Why the repetition has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Count,
    Interrupt,
    Target,
    Closed,
}

impl Console {
    /// Does what `watch` asked for, if it did.
    pub(super) fn watch(&mut self, session: &mut Session) {
        let Some(watch) = session.watch.take() else {
            return;
        };
        let pid = session.running_pid().ok();
        self.watching = true;
        let (rounds, end) = self.rounds(session, &watch);
        self.watching = false;
        let (word, sentence) = match end {
            End::Closed => return,
            End::Count => ("count", String::new()),
            End::Interrupt => ("interrupt", "Quit; the process runs on.".to_owned()),
            End::Target => {
                let pid = pid.unwrap_or_default();
                ("target", format!("Process {pid} has ended."))
            }
        };
        let data = json!({"rounds": rounds, "end": word});
        let text = sentence;
        self.answer(session, "watch", &Plain { text, data });
    }

    fn rounds(&mut self, session: &mut Session, watch: &Watch) -> (u64, End) {
        for round in 1.. {
            if !session.is_there() {
                return (round - 1, End::Target);
            }
            if self.title(session, watch, round).is_err() {
                self.closed = true;
                return (round, End::Closed);
            }
            self.one(session, &watch.line);
            if self.closed || session.quit {
                return (round, End::Closed);
            }
            if self.interrupted {
                return (round, End::Interrupt);
            }
            if watch.count == Some(round) {
                return (round, End::Count);
            }
            if let Some(end) = rest(session, watch.every) {
                return (round, end);
            }
        }
        (u64::MAX, End::Count)
    }

    /// What stands above the answer of a round, on a screen that is empty otherwise.
    fn title(&self, session: &Session, watch: &Watch, round: u64) -> io::Result<()> {
        if session.json {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.terminal.output && self.terminal.input {
            // The cursor home, then all that is behind it erased.
            out.write_all(b"\x1b[H\x1b[2J")?;
        } else if round > 1 {
            out.write_all(b"\n")?;
        }
        let seconds = watch.every.as_secs_f64();
        writeln!(out, "Every {seconds} s: {} (round {round})", watch.line)?;
        out.flush()
    }
}

/// Leaves the target alone; whether that was cut short.
fn rest(session: &Session, time: Duration) -> Option<End> {
    let start = Instant::now();
    session.cancel.reset();
    session.interrupt.enter(Mode::Busy);
    let end = loop {
        let left = time.saturating_sub(start.elapsed());
        if session.cancel.is_cancelled() {
            break Some(End::Interrupt);
        }
        if left.is_zero() {
            break None;
        }
        std::thread::sleep(left.min(GLANCE));
        if !session.is_there() {
            break Some(End::Target);
        }
    };
    session.cancel.reset();
    session.interrupt.enter(Mode::Idle);
    end
}
