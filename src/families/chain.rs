//! A verdict in a sentence or two that name the whole chain: who waits for what, process by process, and
//! who has ended.

use super::verdict::Kind;
use super::words::{and, capital};
use super::{Ended, Key, Member, Wait};
use nix::sys::signal::Signal;

/// How many waits are told one by one.
const MOST_STEPS: usize = 6;

/// What a verdict is about.
pub(super) struct Sentence<'a> {
    pub(super) members: &'a [Member],
    pub(super) ended: &'a [Ended],
    pub(super) kind: Kind,
    /// The waits at the bottom of it.
    pub(super) bottom: &'a [&'a Wait],
    /// Those that wait for these.
    pub(super) behind: &'a [&'a Wait],
    pub(super) pids: &'a [i32],
}

/// The sentences.
pub(super) fn text(sentence: &Sentence<'_>) -> String {
    let Some(first) = sentence.bottom.first() else {
        return String::new();
    };
    let mut text = match sentence.kind {
        Kind::Deadlock => {
            let mut pids: Vec<i32> = sentence.bottom.iter().map(|wait| wait.pid).collect();
            pids.sort_unstable();
            pids.dedup();
            let named: Vec<String> = pids.iter().map(|pid| sentence.process(*pid)).collect();
            match named.as_slice() {
                [one] => format!("threads of {one} wait for each other"),
                several => format!("{} wait for each other", and(several)),
            }
        }
        Kind::Orphaned => format!("nobody can release {}: {}", first.what, first.evidence),
        Kind::Starved if matches!(first.key, Key::Data(_, true)) => format!(
            "nobody is left to read what {} writes, which waits for {}: {}",
            sentence.who(first),
            first.what,
            first.evidence
        ),
        Kind::Starved => format!(
            "nobody is left to write what {} waits for, {}: {}; the end never comes either",
            sentence.who(first),
            first.what,
            first.evidence
        ),
        Kind::Lost => format!(
            "nobody is left to end the wait for {}: {}",
            first.what, first.evidence
        ),
    };
    text.push_str(". ");
    let named = sentence.kind == Kind::Starved;
    let bottom = sentence.bottom.iter().skip(usize::from(named));
    let steps: Vec<&&Wait> = bottom.chain(sentence.behind).collect();
    let told = steps.iter().take(MOST_STEPS);
    let mut told: Vec<String> = told
        .map(|wait| format!("{} waits for {}", sentence.who(wait), wait.what))
        .collect();
    let more = steps.len().saturating_sub(MOST_STEPS);
    if more > 0 {
        told.push(format!("{more} more wait with them"));
    }
    if !told.is_empty() {
        text.push_str(&capital(&told.join("; ")));
        text.push_str(". ");
    }
    let ended = sentence.ended.iter();
    for ended in ended
        .filter(|ended| sentence.pids.contains(&ended.parent))
        .take(MOST_STEPS)
    {
        text.push_str(&format!(
            "Process {}, a child of {}, {} and has not been waited for. ",
            ended.pid,
            ended.parent,
            ending(ended.signal)
        ));
    }
    capital(text.trim_end())
}

impl Sentence<'_> {
    /// `process 10 (python)`.
    fn process(&self, pid: i32) -> String {
        let member = self.members.iter().find(|member| member.pid == pid);
        let name = member.map_or_else(String::new, |member| format!(" ({})", member.name()));
        format!("process {pid}{name}")
    }

    /// `process 10 (python)`, with the thread where it has several.
    fn who(&self, wait: &Wait) -> String {
        let process = self.process(wait.pid);
        let member = self.members.iter().find(|member| member.pid == wait.pid);
        match member.map(|member| member.process.threads().len()) {
            Some(1) => process,
            _ => format!("thread {} of {process}", wait.thread),
        }
    }
}

/// `was killed by SIGKILL`.
fn ending(signal: Option<i32>) -> String {
    match signal.map(|signal| (signal, Signal::try_from(signal))) {
        Some((_, Ok(signal))) => format!("was killed by {}", signal.as_str()),
        Some((number, Err(_))) => format!("was killed by signal {number}"),
        None => "has ended".to_owned(),
    }
}
