//! Stacks of many threads of many processes, each that some have in common shown once.

use super::group;
use super::stack;
use super::thread::ThreadView;
use super::thread_id;
use crate::cli::{Out, Report, Session, Style};
use anyhow::bail;
use pydbg::diag::{Note, Severity, thousands};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::io;

/// The stack of one thread.
struct Answer {
    inferior: usize,
    pid: Option<i32>,
    thread: ThreadView,
    result: Result<Box<dyn Report>, String>,
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
        if let Some(why) = common_error(&answers) {
            bail!("{why}");
        }
        Ok(Merged {
            answers,
            family: session.has_family(),
        })
    }

    /// Threads with the same stack, the most frequent one first.
    fn groups(&self) -> Vec<Vec<&Answer>> {
        let mut groups = group::of(&self.answers, true, |answer| match &answer.result {
            Ok(report) => Ok(report.sameness()),
            Err(why) => Err(why.clone()),
        });
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
        let result = session.execute(line).map_err(|error| format!("{error:#}"));
        answers.push(Answer {
            inferior: session.inferior.number,
            pid: session.inferior.pid(),
            thread,
            result,
        });
    }
    (session.inferior.thread, session.inferior.frame) = selected;
    session.again = None;
    Ok(())
}

/// The error of every single thread, if they all failed for the same reason.
fn common_error(answers: &[Answer]) -> Option<&str> {
    let (first, rest) = answers.split_first()?;
    let why = first.result.as_ref().err()?;
    let same = |answer: &Answer| answer.result.as_ref().err() == Some(why);
    rest.iter().all(same).then_some(why.as_str())
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

fn count(number: usize, noun: &str) -> String {
    let plural = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", thousands(number))
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
            let mut title = count(group.len(), "thread");
            if self.family {
                title.push_str(&format!(" of {}", count(processes(group), "process")));
            }
            out.styled(Style::Strong, &title)?;
            out.put(format_args!(" ({})", ids(group, self.family)))?;
            if let Some(doing) = doing(group) {
                out.put(format_args!(": "))?;
                out.target(doing)?;
            }
            out.end()?;
            match &first.result {
                Ok(report) => report.text(out)?,
                Err(why) => {
                    out.put(format_args!("  "))?;
                    out.target(why)?;
                    out.end()?;
                }
            }
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
            match &first.result {
                Err(why) => object.insert("error".into(), json!(why)),
                Ok(report) => object.insert("frames".into(), frames(&report.json())),
            };
            Some(Value::Object(object))
        };
        let groups: Vec<Value> = self.groups().into_iter().filter_map(group).collect();
        json!({ "groups": groups })
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = Vec::new();
        for answer in &self.answers {
            let new = match &answer.result {
                Ok(report) => report.notes(),
                Err(why) => vec![Note {
                    severity: Severity::Partial,
                    text: match self.family {
                        true => format!("inferior {}: {why}", answer.inferior),
                        false => why.clone(),
                    },
                }],
            };
            for note in new {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }
}

/// The frames of the answer about one thread.
fn frames(answer: &Value) -> Value {
    let threads = answer.get("threads").and_then(Value::as_array);
    let frames = threads.and_then(|threads| threads.first()?.get("frames"));
    frames.cloned().unwrap_or_default()
}
