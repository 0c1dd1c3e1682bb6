//! The processes of a session as a table, in gdb's form.

use super::columns;
use crate::cli::{Inferior, Out, Plain, Report, Session, Style};
use pydbg::glance::Verdict;
use pydbg::target::live::LiveHold;
use pydbg::target::{Origin, Taken};
use serde::Serialize;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;

/// How many processes of one kind are named in a line.
const MOST_NAMED: usize = 10;

/// The processes that are open, and if they have just been attached to, what became of their
/// relatives.
#[derive(Serialize)]
pub struct Inferiors {
    inferiors: Vec<Row>,
    /// Whether they were attached to just now.
    #[serde(skip)]
    pub attached: bool,
    /// Those that run no Python, which run on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<Member>,
    /// Those that could not be attached to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Member>,
    /// Those that have ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vanished: Vec<Member>,
    /// Whether there may be more.
    pub incomplete: bool,
}

/// A process that is no inferior.
#[derive(Serialize)]
pub struct Member {
    /// Its id.
    pub pid: i32,
    /// The kernel's name for it.
    pub name: String,
    /// Why it is none, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One inferior.
#[derive(Serialize)]
struct Row {
    num: usize,
    current: bool,
    pid: Option<i32>,
    ppid: Option<i32>,
    core: Option<PathBuf>,
    /// Of which process it is a copy, and when that was made.
    snapshot: Option<Taken>,
    version: Option<String>,
    /// Why there is no version.
    problem: Option<String>,
    threads: usize,
    stopped: bool,
    /// How long it was stopped, if it runs again.
    pause_us: Option<u64>,
    /// What keeps it, if it stands still.
    verdict: Option<Verdict>,
    exe: Option<String>,
    command: Vec<String>,
}

impl Row {
    fn of(inferior: &Inferior, current: bool) -> Row {
        let target = inferior.process.as_ref().map(|process| &process.target);
        let process = target.map(|target| &target.process);
        let live = target.and_then(|target| target.live());
        let python = inferior.found();
        // Of a process that runs on, the values of frames were not captured.
        let still = live.is_none_or(LiveHold::is_stopped);
        Row {
            num: inferior.number,
            current,
            pid: inferior.pid(),
            ppid: process.and_then(|process| process.ppid),
            core: match inferior.origin() {
                Some(Origin::Core(path)) => Some(path.clone()),
                _ => None,
            },
            snapshot: match inferior.origin() {
                Some(Origin::Snapshot(taken)) => Some(*taken),
                _ => None,
            },
            version: python.map(|python| python.version.to_string()),
            problem: match &inferior.python {
                Some(Err(why)) => Some(why.clone()),
                _ => None,
            },
            threads: target.map_or(0, |target| target.threads.len()),
            stopped: live.is_some_and(LiveHold::is_stopped),
            pause_us: live
                .filter(|live| !live.is_stopped())
                .map(|live| live.stopped_for())
                .filter(|pause| !pause.is_zero())
                .map(|pause| u64::try_from(pause.as_micros()).unwrap_or(u64::MAX)),
            verdict: python
                .filter(|_| still)
                .map(|python| Verdict::at_rest(python)),
            exe: process.and_then(|process| process.exe.clone()),
            command: process.map_or_else(Vec::new, |process| process.args.clone()),
        }
    }

    fn line(&self, with_verdict: bool) -> columns::Line {
        let mark = if self.current { '*' } else { ' ' };
        let description = match (self.pid, &self.core, self.snapshot) {
            (Some(pid), ..) => format!("process {pid}"),
            (None, Some(core), _) => format!("core {}", core.display()),
            (None, None, Some(taken)) => format!("snapshot of process {}", taken.pid),
            (None, None, None) => "<null>".to_owned(),
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let mut cells = vec![
            format!("{mark} {}", self.num),
            description,
            or_dash(self.ppid.map(|ppid| ppid.to_string())),
            or_dash(self.version.clone()),
            self.threads.to_string(),
        ];
        if with_verdict {
            cells.push(or_dash(self.verdict.as_ref().map(|v| v.text.clone())));
        }
        let hangs = self.verdict.as_ref().is_some_and(Verdict::is_bad);
        columns::Line {
            styled: hangs.then_some((cells.len() - 1, Style::Strong)),
            ..columns::Line::new(cells, self.program())
        }
    }

    /// The command line, or else the executable.
    fn program(&self) -> String {
        match self.command.is_empty() {
            true => self.exe.clone().unwrap_or_default(),
            false => self.command.join(" "),
        }
    }
}

impl Inferiors {
    /// The targets of a session.
    pub fn of(session: &Session) -> Inferiors {
        let current = session.inferior.number;
        let all = session.inferiors().into_iter();
        let rows = all.map(|inferior| Row::of(inferior, inferior.number == current));
        Inferiors {
            inferiors: rows.collect(),
            attached: false,
            passed_over: Vec::new(),
            refused: Vec::new(),
            vanished: Vec::new(),
            incomplete: false,
        }
    }

    /// `Attached to process 12 and 3 descendants; they are stopped until you detach or quit.`
    fn headline(&self, out: &mut Out<'_>) -> io::Result<()> {
        let Some((first, rest)) = self.inferiors.split_first() else {
            return Ok(());
        };
        let what = match (first.pid, rest.len()) {
            (Some(pid), 0) => format!("process {pid}"),
            (Some(pid), 1) => format!("process {pid} and 1 descendant"),
            (Some(pid), many) => format!("process {pid} and {many} descendants"),
            (None, _) => return Ok(()),
        };
        let (they, are, run) = match rest {
            [] => ("it", "is", "runs"),
            _ => ("they", "are", "run"),
        };
        let pause = self.inferiors.iter().filter_map(|row| row.pause_us).max();
        let state = match (first.stopped, pause) {
            (true, _) => format!("{they} {are} stopped until you detach or quit"),
            (false, Some(pause)) => format!(
                "{they} {} stopped for {:.1} ms and {run} on",
                if rest.is_empty() { "was" } else { "were" },
                pause as f64 / 1000.0
            ),
            (false, None) => format!("{they} {run} on while {they} {are} read"),
        };
        out.put(format_args!("Attached to {what}; {state}.\n"))
    }
}

/// `1234 (sleep), 1235 (sh) and 3 more`.
fn named(members: &[Member]) -> String {
    let shown = members.iter().take(MOST_NAMED);
    let words: Vec<String> = shown.map(|m| format!("{} ({})", m.pid, m.name)).collect();
    match members.len().saturating_sub(MOST_NAMED) {
        0 => words.join(", "),
        more => format!("{} and {more} more", words.join(", ")),
    }
}

impl Report for Inferiors {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.attached {
            self.headline(out)?;
        }
        let with_verdict = self.inferiors.iter().any(|row| row.verdict.is_some());
        let mut head = vec!["  Num", "Description", "Parent", "Python", "Threads"];
        head.extend(with_verdict.then_some("Verdict"));
        let head = columns::Line::head(&head, "Command");
        let rows = self.inferiors.iter().map(|row| row.line(with_verdict));
        let lines: Vec<_> = [head].into_iter().chain(rows).collect();
        columns::print(out, &lines)?;
        for row in &self.inferiors {
            if let Some(problem) = &row.problem {
                out.styled(Style::Faint, &format!("inferior {}: {problem}", row.num))?;
                out.end()?;
            }
        }
        if !self.passed_over.is_empty() {
            out.put(format_args!(
                "No Python runs in, so they were passed over: "
            ))?;
            out.target(&named(&self.passed_over))?;
            out.put(format_args!(".\n"))?;
        }
        if !self.vanished.is_empty() {
            out.put(format_args!("Ended: "))?;
            out.target(&named(&self.vanished))?;
            out.put(format_args!(".\n"))?;
        }
        for member in &self.refused {
            let why = member.why.as_deref().unwrap_or_default();
            out.put(format_args!("Not attached to {} (", member.pid))?;
            out.target(&member.name)?;
            out.put(format_args!("): "))?;
            out.target(why)?;
            out.put(format_args!(".\n"))?;
        }
        if self.incomplete {
            out.put(format_args!(
                "Children are born faster than they can be attached to, or there are too many: \
                 not all are here.\n"
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!(self)
    }
}

/// `2 [process 1234] (/usr/bin/python3.11)`, as gdb names an inferior.
pub fn title(inferior: &Inferior) -> String {
    let exe = (inferior.process.as_ref()).and_then(|process| process.target.process.exe.as_ref());
    let exe = exe.map_or(String::new(), |exe| format!(" ({exe})"));
    let what = match (inferior.pid(), inferior.origin()) {
        (Some(pid), _) => format!("process {pid}"),
        (None, Some(Origin::Core(core))) => format!("core {}", core.display()),
        (None, Some(Origin::Snapshot(taken))) => format!("snapshot of process {}", taken.pid),
        (None, _) => "<null>".to_owned(),
    };
    format!("{} [{what}]{exe}", inferior.number)
}

/// The numbers of all inferiors, for completion.
pub fn numbers(session: &Session) -> Vec<String> {
    let all = session.inferiors().into_iter();
    all.map(|inferior| inferior.number.to_string()).collect()
}

/// Leaves some inferiors, which run on; what was left, in gdb's words, and which one is the
/// current one then if that changed.
pub fn left(session: &mut Session, numbers: &[usize]) -> Plain {
    let current = session.inferior.number;
    let mut lines = Vec::new();
    let mut pids = Vec::new();
    for number in numbers {
        pids.extend(
            session
                .inferiors()
                .iter()
                .find(|i| i.number == *number)
                .and_then(|i| i.pid()),
        );
        lines.extend(session.leave_inferior(*number));
    }
    if session.inferior.number != current && session.inferior.process.is_some() {
        lines.push(format!(
            "[Switching to inferior {}]",
            title(&session.inferior)
        ));
    }
    Plain {
        text: lines.join("\n"),
        data: json!({ "detached": pids, "inferior": session.inferior.number }),
    }
}
