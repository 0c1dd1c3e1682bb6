//! What the threads of a family of processes wait for, as it is shown: the verdicts with the chain of
//! those they concern, the table of all waits, the picture.

pub mod files;
pub mod hint;
mod picture;

use super::location;
use super::number::list;
use crate::cli::{Out, Report, Session, Style};
use anyhow::bail;
use pydbg::diag::{Note, counted};
use pydbg::families::{Ends, Family, Member, Verdict, VerdictKind, Wait, descendants};
use pydbg::target::proc;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// How many waits of one verdict are told with their places.
const MOST_TOLD: usize = 12;

/// How many rows the table has.
const MOST_ROWS: usize = 200;

/// How many threads that a wait is up to are named.
const MOST_NAMED: usize = 6;

/// The waits of a family.
pub struct FamilyView {
    family: Family,
    notes: Vec<Note>,
    /// The files that pictures were written to.
    pub written: Vec<String>,
}

impl FamilyView {
    /// Joins what the threads of the open processes wait for, and of the processes below them.
    pub fn of(session: &Session) -> anyhow::Result<FamilyView> {
        let mut members = opened(session);
        if members.is_empty() {
            session.process()?;
            bail!("Only live processes have a family; a core knows its own process alone.");
        }
        let mut notes = Vec::new();
        let mut gone = 0_usize;
        for pid in below(&members) {
            if members.iter().any(|member| member.pid == pid) || session.cancel.is_cancelled() {
                continue;
            }
            match Member::open(pid, &session.options) {
                Ok(member) => members.push(member),
                Err(_) if proc::living(pid).is_none() => gone += 1,
                Err(error) => notes.push(Note::partial(format!(
                    "process {pid} was not looked at: {error}"
                ))),
            }
        }
        if gone > 0 {
            notes.push(Note::info(format!(
                "{} ended before they could be looked at",
                counted(gone, "process")
            )));
        }
        Ok(FamilyView {
            family: Family::of(members),
            notes,
            written: Vec::new(),
        })
    }

    /// Notes that so many waits are not in the picture.
    pub fn left_out(&mut self, count: usize) {
        if count > 0 {
            self.notes.push(Note::partial(format!(
                "{count} waits are not in the picture, which has the first"
            )));
        }
    }

    /// `Process 10 (python), thread 1 "MainThread" (LWP 10)`.
    fn who(&self, wait: &Wait) -> String {
        let member = self.family.member(wait.pid);
        let process = member.map_or_else(String::new, |member| format!(" ({})", member.name()));
        let name = wait.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!(" \"{name}\""));
        format!(
            "Process {}{process}, thread {}{name} (LWP {})",
            wait.pid, wait.thread, wait.tid
        )
    }

    /// A thread that waits: for what, where, and what says whose that is.
    fn wait(&self, out: &mut Out<'_>, at: usize) -> io::Result<()> {
        let Some(wait) = self.family.waits.get(at) else {
            return Ok(());
        };
        out.target(&self.who(wait))?;
        out.put(format_args!(":\n  waits for "))?;
        out.target(&wait.what)?;
        if wait.timed {
            out.put(format_args!(", at most for some time"))?;
        }
        out.put(format_args!("\n  ("))?;
        out.target(&wait.evidence)?;
        out.put(format_args!(")\n"))?;
        if let Some(place) = &wait.place {
            out.put(format_args!("    "))?;
            location::put(out, &place.file, place.line, "?", &place.function)?;
            out.end()?;
        }
        Ok(())
    }

    fn waits(&self, out: &mut Out<'_>, all: &[usize]) -> io::Result<()> {
        for at in all.iter().take(MOST_TOLD) {
            self.wait(out, *at)?;
        }
        match all.len().saturating_sub(MOST_TOLD) {
            0 => Ok(()),
            more => out.put(format_args!("and {more} more\n")),
        }
    }

    fn verdict(&self, out: &mut Out<'_>, verdict: &Verdict) -> io::Result<()> {
        let word = match verdict.verdict {
            VerdictKind::Deadlock => "Deadlock",
            VerdictKind::Orphaned => "Orphaned",
            VerdictKind::Starved => "Starved",
            VerdictKind::Lost => "Lost wakeup",
        };
        out.styled(Style::Strong, &format!("{word}: {}", verdict.text))?;
        out.end()?;
        self.waits(out, &verdict.waits)?;
        if !verdict.behind.is_empty() {
            out.put(format_args!("Stuck behind that:\n"))?;
        }
        self.waits(out, &verdict.behind)?;
        out.end()
    }

    /// Who could end a wait: `threads 1 and 2 of process 11`.
    fn up_to(&self, wait: &Wait) -> String {
        let tids = match &wait.ends {
            Ends::Open { why } => return format!("open: {why}"),
            Ends::Threads { tids } if tids.is_empty() => return "nobody".to_owned(),
            Ends::Threads { tids } => tids,
        };
        let mut words = Vec::new();
        for member in &self.family.members {
            let threads = member.process.threads().iter();
            let those = threads.filter(|thread| tids.contains(&thread.tid));
            let those: Vec<usize> = those.map(|thread| thread.id).collect();
            match those.as_slice() {
                [] => {}
                _ if those.len() == member.process.threads().len() => {
                    words.push(format!("process {}", member.pid));
                }
                [one] => words.push(format!("thread {one} of process {}", member.pid)),
                several if several.len() <= MOST_NAMED => words.push(format!(
                    "threads {} of process {}",
                    list(several),
                    member.pid
                )),
                many => {
                    words.push(format!("{} threads of process {}", many.len(), member.pid));
                }
            }
        }
        let more = words.len().saturating_sub(MOST_NAMED);
        words.truncate(MOST_NAMED);
        let mut words = words.join(", ");
        if more > 0 {
            words.push_str(&format!(" and {more} others"));
        }
        words
    }

    fn table(&self, out: &mut Out<'_>) -> io::Result<()> {
        for wait in self.family.waits.iter().take(MOST_ROWS) {
            out.target(&self.who(wait))?;
            out.put(format_args!(" waits for "))?;
            out.target(&wait.what)?;
            out.put(format_args!("; up to "))?;
            out.target(&self.up_to(wait))?;
            out.end()?;
        }
        match self.family.waits.len().saturating_sub(MOST_ROWS) {
            0 => Ok(()),
            more => out.put(format_args!("… {more} more waits\n")),
        }
    }
}

/// The live processes that are open.
fn opened(session: &Session) -> Vec<Member> {
    let inferiors = session.inferiors().into_iter();
    let members = inferiors.filter_map(|inferior| {
        let process = inferior.process.as_ref()?;
        Member::of(Arc::clone(process), inferior.found().cloned())
    });
    members.collect()
}

/// The processes below those that are open.
fn below(members: &[Member]) -> Vec<i32> {
    let all = members.iter().map(|member| descendants(member.pid));
    all.flatten().collect()
}

/// The ids of the live processes that are open, and of those below them.
pub fn pids(session: &Session) -> anyhow::Result<Vec<i32>> {
    let open = opened(session).into_iter().map(|member| member.pid);
    let mut pids: Vec<i32> = open.collect();
    if pids.is_empty() {
        session.process()?;
        bail!("A core does not tell what other processes have open.");
    }
    pids.extend(below(&opened(session)));
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

impl Report for FamilyView {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if out.wrote("the graph of who waits for whom", &self.written)? {
            return Ok(());
        }
        let family = &self.family;
        let python = family
            .members
            .iter()
            .filter(|member| member.python.is_some());
        let (all, python) = (family.members.len(), python.count());
        out.put(format_args!(
            "{}, {python} of them with Python.\n\n",
            counted(all, "process")
        ))?;
        for verdict in &family.verdicts {
            self.verdict(out, verdict)?;
        }
        if family.verdicts.is_empty() {
            out.put(format_args!("No deadlock found.\n\n"))?;
        }
        self.table(out)
    }

    fn json(&self) -> Value {
        let family = &self.family;
        let process = |member: &Member| {
            let python = member.python.as_ref();
            json!({
                "pid": member.pid,
                "parent": member.parent(),
                "name": member.name(),
                "python": python.map(|python| python.version.to_string()),
                "threads": member.process.threads().len(),
            })
        };
        json!({
            "processes": family.members.iter().map(process).collect::<Vec<_>>(),
            "ended": family.ended,
            "waits": family.waits,
            "verdicts": family.verdicts,
            "written": self.written,
        })
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }
}
