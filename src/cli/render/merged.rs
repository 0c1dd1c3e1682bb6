//! Stacks of many threads of many processes, each that some have in common shown once.

use super::group;
use super::outcome::{Outcome, common_error, distinct, single_stack};
use super::stack;
use super::thread::ThreadView;
use super::thread_id;
use crate::cli::{Out, Report, Session, Style};
use anyhow::bail;
use pydbg::diag::{Note, counted};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::io;

/// The stack of one thread.
struct Answer {
    inferior: usize,
    pid: Option<i32>,
    thread: ThreadView,
    outcome: Outcome,
}

/// The stacks of all threads.
pub struct Merged {
    answers: Vec<Answer>,
    /// Whether there are several processes.
    family: bool,
}

impl Merged {
    /// What `line`, a command that prints the stack of the selected thread, says of all threads
    /// of all processes.
    pub fn of(session: &mut Session, line: &str) -> anyhow::Result<Merged> {
        let selected = session.inferior.number;
        let numbers: Vec<usize> = session.inferiors().iter().map(|i| i.number).collect();
        let mut answers = Vec::new();
        for number in &numbers {
            if session.select_inferior(*number) {
                gather(session, line, &mut answers)?;
            }
        }
        session.select_inferior(selected);
        if let Some(why) = common_error(answers.iter().map(|answer| &answer.outcome)) {
            bail!("{why}");
        }
        Ok(Merged {
            answers,
            family: session.has_family(),
        })
    }

    /// Threads with the same stack, the most frequent one first.
    fn groups(&self) -> Vec<Vec<&Answer>> {
        let mut groups = group::of(&self.answers, true, |answer| answer.outcome.sameness());
        groups.sort_by_key(|group| Reverse(group.len()));
        groups
    }
}

/// The stacks of the current process.
fn gather(session: &mut Session, line: &str, answers: &mut Vec<Answer>) -> anyhow::Result<()> {
    stack::prefetch(session)?;
    let selected = (session.inferior.thread, session.inferior.frame);
    for mut thread in ThreadView::all(session)? {
        // What Python knows of a thread that has ended is no stack.
        let Some(id) = thread.id.filter(|_| !session.cancel.is_cancelled()) else {
            continue;
        };
        (session.inferior.thread, session.inferior.frame) = (id, 0);
        thread.look(session);
        let outcome = Outcome::of(session, line);
        answers.push(Answer {
            inferior: session.inferior.number,
            pid: session.inferior.pid(),
            thread,
            outcome,
        });
    }
    (session.inferior.thread, session.inferior.frame) = selected;
    session.again = None;
    Ok(())
}

/// `1.1-3, 2.1`: the threads of a group, by process if there are several.
fn ids(group: &[&Answer], family: bool) -> String {
    let mut words = Vec::new();
    for process in group.chunk_by(|one, other| one.inferior == other.inferior) {
        let mut ids: Vec<usize> = process.iter().filter_map(|a| a.thread.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let number = process.first().map_or(0, |answer| answer.inferior);
        words.push(thread_id::several(family.then_some(number), &ids));
    }
    words.join(",")
}

/// How many processes the threads of a group belong to.
fn processes(group: &[&Answer]) -> usize {
    group
        .chunk_by(|one, other| one.inferior == other.inferior)
        .count()
}

/// What all threads of a group do, if it is the same.
fn doing<'a>(group: &[&'a Answer]) -> Option<&'a str> {
    let (first, rest) = group.split_first()?;
    let words = |answer: &&'a Answer| Some(answer.thread.doing.as_ref()?.text.as_str());
    let text = words(first)?;
    rest.iter()
        .all(|answer| words(answer) == Some(text))
        .then_some(text)
}

impl Report for Merged {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for (index, group) in self.groups().iter().enumerate() {
            let Some(first) = group.first() else {
                continue;
            };
            if index > 0 {
                out.end()?;
            }
            let mut title = counted(group.len(), "thread");
            if self.family {
                title.push_str(&format!(" of {}", counted(processes(group), "process")));
            }
            out.styled(Style::Strong, &title)?;
            out.put(format_args!(" ({})", ids(group, self.family)))?;
            if let Some(doing) = doing(group) {
                out.put(format_args!(": "))?;
                out.target(doing)?;
            }
            out.end()?;
            first.outcome.text(out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let group = |group: Vec<&Answer>| {
            let first = group.first()?;
            let member = |answer: &&Answer| {
                let mut member = json!(answer.thread);
                if let Some(member) = member.as_object_mut() {
                    member.insert("inferior".into(), json!(answer.inferior));
                    member.insert("pid".into(), json!(answer.pid));
                }
                member
            };
            let mut object = Map::new();
            object.insert("count".into(), json!(group.len()));
            object.insert("processes".into(), json!(processes(&group)));
            let threads: Vec<Value> = group.iter().map(member).collect();
            object.insert("threads".into(), json!(threads));
            match first.outcome.report() {
                Err(why) => object.insert("error".into(), json!(why)),
                Ok(report) => {
                    let frames = single_stack(report.json()).unwrap_or_default();
                    object.insert("frames".into(), frames)
                }
            };
            Some(Value::Object(object))
        };
        let groups: Vec<Value> = self.groups().into_iter().filter_map(group).collect();
        json!({ "groups": groups })
    }

    fn notes(&self) -> Vec<Note> {
        let of_one = |answer: &Answer| {
            let mut notes = answer.outcome.notes();
            if self.family && answer.outcome.report().is_err() {
                for note in &mut notes {
                    note.text = format!("inferior {}: {}", answer.inferior, note.text);
                }
            }
            notes
        };
        distinct(self.answers.iter().flat_map(of_one))
    }
}
