//! What a command said of each of several processes.

use super::group;
use super::inferiors;
use super::number::compact;
use super::outcome::{Outcome, common_error};
use crate::cli::{Out, Report, Session, Style};
use anyhow::bail;
use pydbg::diag::Note;
use serde_json::{Map, Value, json};
use std::io;

/// What the command said of one process.
pub struct Answer {
    number: usize,
    pid: Option<i32>,
    title: String,
    outcome: Outcome,
}

impl Answer {
    /// Runs the command on the current process.
    pub fn of(session: &mut Session, line: &str) -> Answer {
        let inferior = &session.inferior;
        let (number, pid) = (inferior.number, inferior.pid());
        let title = inferiors::title(inferior);
        Answer {
            number,
            pid,
            title,
            outcome: Outcome::of(session, line),
        }
    }

    /// Whether the command did not fail.
    pub fn is_whole(&self) -> bool {
        self.outcome.report().is_ok()
    }

    fn notes(&self) -> impl Iterator<Item = Note> {
        let about = |note: Note| Note {
            text: format!("inferior {}: {}", self.number, note.text),
            ..note
        };
        self.outcome.notes().into_iter().map(about)
    }
}

/// What it said of all.
pub struct Applied {
    answers: Vec<Answer>,
    quiet: bool,
    merge: bool,
}

impl Applied {
    /// The answers together; an error when all failed for the same reason.
    pub fn new(answers: Vec<Answer>, quiet: bool, merge: bool) -> anyhow::Result<Applied> {
        if let Some(why) = common_error(answers.iter().map(|answer| &answer.outcome)) {
            bail!("{why}");
        }
        Ok(Applied {
            answers,
            quiet,
            merge,
        })
    }

    fn groups(&self) -> Vec<Vec<&Answer>> {
        group::of(&self.answers, self.merge, |a| a.outcome.sameness())
    }
}

fn header(out: &mut Out<'_>, group: &[&Answer]) -> io::Result<()> {
    let title = match group {
        [one] => format!("Inferior {}:", one.title),
        several => {
            let numbers: Vec<usize> = several.iter().map(|answer| answer.number).collect();
            let count = numbers.len();
            format!("Inferiors {} ({count} processes):", compact(&numbers))
        }
    };
    out.styled(Style::Strong, &title)?;
    out.end()
}

impl Report for Applied {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for group in self.groups() {
            let Some(first) = group.first() else {
                continue;
            };
            if !self.quiet {
                out.end()?;
                header(out, &group)?;
            }
            first.outcome.text(out)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let result =
            |object: &mut Map<String, Value>, answer: &Answer| match answer.outcome.report() {
                Ok(report) => object.insert("data".into(), report.json()),
                Err(why) => object.insert("error".into(), json!(why)),
            };
        let who = |answer: &Answer| {
            let mut object = Map::new();
            object.insert("inferior".into(), json!(answer.number));
            object.insert("pid".into(), json!(answer.pid));
            object
        };
        if !self.merge {
            let one = |answer: &Answer| {
                let mut object = who(answer);
                result(&mut object, answer);
                Value::Object(object)
            };
            let all: Vec<Value> = self.answers.iter().map(one).collect();
            return json!({ "inferiors": all });
        }
        let merged = |group: Vec<&Answer>| {
            let mut object = Map::new();
            object.insert("count".into(), json!(group.len()));
            let members: Vec<_> = group.iter().map(|answer| who(answer)).collect();
            object.insert("inferiors".into(), json!(members));
            result(&mut object, group.first()?);
            Some(Value::Object(object))
        };
        let groups: Vec<Value> = self.groups().into_iter().filter_map(merged).collect();
        json!({ "groups": groups })
    }

    fn notes(&self) -> Vec<Note> {
        self.answers.iter().flat_map(Answer::notes).collect()
    }
}
