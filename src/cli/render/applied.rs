//! What a command said of each of several processes.

use super::group;
use super::inferiors;
use super::number::compact;
use crate::cli::{Out, Report, Session, Style};
use anyhow::anyhow;
use pydbg::diag::{Note, Severity};
use serde_json::{Map, Value, json};
use std::io;

/// What the command said of one process.
pub struct Answer {
    number: usize,
    pid: Option<i32>,
    title: String,
    result: Result<Box<dyn Report>, String>,
}

impl Answer {
    /// Runs the command on the current process.
    pub fn of(session: &mut Session, line: &str) -> Answer {
        let inferior = &session.inferior;
        let (number, pid) = (inferior.number, inferior.pid());
        let title = inferiors::title(inferior);
        let result = session.execute(line);
        Answer {
            number,
            pid,
            title,
            result: result.map_err(|error| format!("{error:#}")),
        }
    }

    /// Whether the command did not fail.
    pub fn is_whole(&self) -> bool {
        self.result.is_ok()
    }

    /// What must be the same in answers that are shown as one.
    fn sameness(&self) -> Result<String, String> {
        let report = self.result.as_ref().map_err(String::clone)?;
        Ok(report.sameness().unwrap_or_else(|| {
            let mut text = Vec::new();
            // Writing to memory does not fail.
            let _ = report.text(&mut Out::new(&mut text, false, 0));
            String::from_utf8_lossy(&text).into_owned()
        }))
    }

    fn notes(&self) -> Vec<Note> {
        let notes = match &self.result {
            Ok(report) => report.notes(),
            Err(why) => vec![Note {
                severity: Severity::Partial,
                text: why.clone(),
            }],
        };
        let about = |note: Note| Note {
            text: format!("inferior {}: {}", self.number, note.text),
            ..note
        };
        notes.into_iter().map(about).collect()
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
        let whys: Vec<_> = answers
            .iter()
            .map(|answer| answer.result.as_ref().err())
            .collect();
        if let Some((Some(first), rest)) = whys.split_first()
            && rest.iter().all(|why| *why == Some(first))
        {
            return Err(anyhow!("{first}"));
        }
        Ok(Applied {
            answers,
            quiet,
            merge,
        })
    }

    fn groups(&self) -> Vec<Vec<&Answer>> {
        group::of(&self.answers, self.merge, Answer::sameness)
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
            match &first.result {
                Ok(report) => report.text(out)?,
                Err(why) => {
                    out.target(why)?;
                    out.end()?;
                }
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let result = |object: &mut Map<String, Value>, answer: &Answer| match &answer.result {
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
