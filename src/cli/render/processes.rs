//! The Python processes of the machine as a tree.

use super::columns;
use crate::cli::{Inferior, Out, Report, Session, Style};
use anyhow::{Context, bail};
use pydbg::diag::{Cancel, Note, counted, human};
use pydbg::glance::{self, Glance, Kind, Verdict};
use pydbg::target::Options;
use pydbg::target::processes::{self, Entry, Guess};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// How long one process is looked at: some 5 ms are enough unless the machine is overloaded or
/// the kernel lets readers wait.
const LIMIT: Duration = Duration::from_secs(2);

/// The Python processes that were found.
pub struct Processes {
    /// Parents before their children.
    rows: Vec<Row>,
    /// How many other processes may not be looked at.
    hidden: usize,
    cancelled: bool,
}

/// One process.
#[derive(Serialize)]
struct Row {
    pid: i32,
    ppid: i32,
    /// The nearest ancestor that is listed.
    parent: Option<i32>,
    #[serde(skip)]
    depth: usize,
    uid: Option<u32>,
    version: Option<String>,
    threads: u32,
    state: char,
    rss: u64,
    exe: Option<String>,
    command: String,
    verdict: Verdict,
}

/// What a look at one process has shown.
enum Seen {
    Python(Glance),
    Hidden,
    Other,
}

impl Processes {
    /// Looks at all processes, or at one and its descendants.
    pub fn find(session: &Session, root: Option<i32>) -> anyhow::Result<Processes> {
        let all = processes::all().context("cannot list /proc")?;
        let wanted: Vec<Entry> = match root {
            None => all.clone(),
            Some(pid) => {
                let found = processes::descendants(&all, pid);
                if found.is_empty() {
                    bail!("there is no process {pid}");
                }
                found.into_iter().cloned().collect()
            }
        };
        let mut held = held(session);
        let options = session.file_options(None);
        let look = move |entry: &Entry, cancel: &Cancel| look(entry, &options, cancel);
        let seen = glance::each(wanted.clone(), LIMIT, &session.cancel, look);
        let cancelled = session.cancel.is_cancelled();
        let mut found: FxHashMap<i32, (&Entry, Glance)> = FxHashMap::default();
        let mut hidden = 0;
        for (entry, seen) in wanted.iter().zip(seen) {
            let glance = match (held.remove(&entry.pid), seen) {
                (Some(glance), _) | (None, Some(Seen::Python(glance))) => glance,
                (None, Some(Seen::Hidden)) => {
                    hidden += 1;
                    continue;
                }
                (None, None) if entry.is_called_python() && !cancelled => {
                    Glance::failed("it could not be looked at in time")
                }
                (None, Some(Seen::Other) | None) => continue,
            };
            found.insert(entry.pid, (entry, glance));
        }
        // A child that has ended matters when its parent should take note of that.
        for entry in wanted.iter().filter(|entry| entry.stat.state == 'Z') {
            if found.contains_key(&entry.stat.ppid) {
                let verdict = Verdict::plain(Kind::Zombie, "zombie");
                let version = None;
                found.insert(entry.pid, (entry, Glance { version, verdict }));
            }
        }
        Ok(Processes {
            rows: tree(&all, found),
            hidden,
            cancelled,
        })
    }
}

/// Those that are held stopped here, which are read as they stand.
fn held(session: &Session) -> FxHashMap<i32, Glance> {
    let all = session.inferiors().into_iter();
    let glance = |inferior: &Inferior| {
        let stopped = inferior.process.as_ref()?.target.live()?.is_stopped();
        let python = inferior.found().filter(|_| stopped)?;
        Some((inferior.pid()?, Glance::at_rest(python)))
    };
    all.filter_map(glance).collect()
}

/// Looks at one process.
fn look(entry: &Entry, options: &Options, cancel: &Cancel) -> Seen {
    let guess = entry.guess();
    if guess == (Guess::Hidden { named: false }) {
        return Seen::Hidden;
    }
    let options = Options {
        cancel: cancel.clone(),
        ..options.clone()
    };
    Glance::of(entry, &guess, &options).map_or(Seen::Other, Seen::Python)
}

/// The processes as rows of a tree, by id within each level.
fn tree(all: &[Entry], mut found: FxHashMap<i32, (&Entry, Glance)>) -> Vec<Row> {
    let parents: FxHashMap<i32, i32> = all.iter().map(|e| (e.pid, e.stat.ppid)).collect();
    let listed: FxHashSet<i32> = found.keys().copied().collect();
    let above = |pid: i32| {
        let mut seen = FxHashSet::default();
        let mut at = pid;
        // What was read at different moments may form a ring.
        while seen.insert(at) {
            at = *parents.get(&at)?;
            if listed.contains(&at) && at != pid {
                return Some(at);
            }
        }
        None
    };
    let mut children: FxHashMap<Option<i32>, Vec<i32>> = FxHashMap::default();
    for pid in &listed {
        children.entry(above(*pid)).or_default().push(*pid);
    }
    let mut rows = Vec::with_capacity(listed.len());
    let mut open: Vec<(i32, usize)> = Vec::new();
    let below = |parent: Option<i32>, children: &mut FxHashMap<_, Vec<i32>>| {
        let mut pids = children.remove(&parent).unwrap_or_default();
        pids.sort_unstable_by_key(|pid| std::cmp::Reverse(*pid));
        pids
    };
    open.extend(below(None, &mut children).into_iter().map(|pid| (pid, 0)));
    while let Some((pid, depth)) = open.pop() {
        if let Some((entry, glance)) = found.remove(&pid) {
            rows.push(Row {
                pid,
                ppid: entry.stat.ppid,
                parent: above(pid),
                depth,
                uid: entry.uid(),
                version: glance.version,
                threads: entry.stat.threads,
                state: entry.stat.state,
                rss: entry.resident(),
                exe: entry.exe(),
                command: entry.command(),
                verdict: glance.verdict,
            });
        }
        let born = below(Some(pid), &mut children).into_iter();
        open.extend(born.map(|pid| (pid, depth + 1)));
    }
    rows
}

impl Row {
    fn line(&self, with_user: bool) -> columns::Line {
        let mut cells = vec![format!(
            "{:indent$}{}",
            "",
            self.pid,
            indent = (2 * self.depth).min(columns::WIDEST)
        )];
        if with_user {
            cells.push(self.uid.map_or("?".to_owned(), |uid| uid.to_string()));
        }
        cells.extend([
            self.version.clone().unwrap_or_else(|| "-".to_owned()),
            self.threads.to_string(),
            self.state.to_string(),
            human(self.rss),
            self.verdict.text.clone(),
        ]);
        let hangs = self.verdict.is_bad();
        columns::Line {
            styled: hangs.then_some((cells.len() - 1, Style::Strong)),
            ..columns::Line::new(cells, &*self.command)
        }
    }
}

impl Report for Processes {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.rows.is_empty() {
            out.put(format_args!("No Python processes found.\n"))?;
        } else {
            self.table(out)?;
        }
        let unknown = self
            .rows
            .iter()
            .filter(|row| row.verdict.kind == Kind::Unknown);
        for row in unknown {
            if let Some(why) = &row.verdict.doing {
                out.put(format_args!("Process {}: ", row.pid))?;
                out.target(why)?;
                out.put(format_args!(".\n"))?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "processes": self.rows, "hidden": self.hidden })
    }

    fn notes(&self) -> Vec<Note> {
        let hidden = (self.hidden > 0).then(|| {
            Note::info(format!(
                "{} may not be looked at; if Python runs there, it is not listed",
                counted(self.hidden, "process")
            ))
        });
        let cancelled = self
            .cancelled
            .then(|| Note::partial("interrupted: not all processes were looked at"));
        hidden.into_iter().chain(cancelled).collect()
    }
}

impl Processes {
    fn table(&self, out: &mut Out<'_>) -> io::Result<()> {
        let mut users: Vec<Option<u32>> = self.rows.iter().map(|row| row.uid).collect();
        users.sort_unstable();
        users.dedup();
        let with_user = users.len() > 1;
        let mut head = vec!["PID"];
        head.extend(with_user.then_some("User"));
        head.extend(["Python", "Threads", "State", "RSS", "Verdict"]);
        let head = columns::Line::head(&head, "Command");
        let rows = self.rows.iter().map(|row| row.line(with_user));
        let lines: Vec<_> = [head].into_iter().chain(rows).collect();
        columns::print(out, &lines)
    }
}
