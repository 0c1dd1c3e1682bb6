//! `thread apply`: one command for several threads, its answers in one.

use crate::cli::render::group;
use crate::cli::render::outcome::{Outcome, common_error, distinct, single_stack};
use crate::cli::render::request::Request;
use crate::cli::render::thread::ThreadView;
use crate::cli::render::thread_id;
use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use anyhow::bail;
use pydbg::diag::Note;
use serde_json::{Map, Value, json};
use std::io;

/// Apply a command to a list of threads.
///
/// The list is "all" or numbers and ranges, such as "1-3 5". "all" goes from the highest number
/// to the lowest, as in gdb, unless -ascending is given. Of several processes ("info inferiors") 2.1
/// is thread 1 of process 2, and 2.* are all of its threads; other numbers, and "all", are those of
/// the current one. With -q the threads have no headers, with
/// -s the ones for which the command fails are left out, with -m threads with the same answer are
/// shown as one: of bt and py-bt, those with the same stack. The selected thread and frame stay.
///
/// Examples:
///     thread apply all py-bt
///     thread apply 1-3 5 bt 3
///     thread apply 1.1 2.3-5 py-bt    threads of several processes
///     thread apply all -m py-bt    identical stacks once
///     thread apply all -q frame
///     thread apply all -ascending info registers rip
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct ThreadApply {
    /// The threads, flags and the command
    #[arg(value_name = "LIST [-q] [-s] [-m] [-ascending] COMMAND")]
    tail: Option<String>,
}

impl Run for ThreadApply {
    const NAME: &'static str = "thread apply";
    const CLASS: Class = Class::Stack;
    const NEEDS: Needs = Needs::NativeStacks;
    const RAW: bool = true;

    fn needs(session: &Session, words: &[String]) -> Needs {
        Request::needs(session, words).max(Self::NEEDS)
    }

    fn nested(tail: &str) -> Option<&str> {
        Request::parse(tail).nested()
    }

    fn complete(session: &Session, _word: &str) -> Vec<String> {
        let mut words = thread_id::completions(session);
        words.extend(["all", "-q", "-s", "-m", "-ascending"].map(str::to_owned));
        words
    }

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let tail = self.tail.unwrap_or_default();
        let request = Request::parse(&tail);
        if request.list.is_empty() {
            bail!("Please specify a thread ID list");
        }
        if request.line.is_empty() {
            bail!("Please specify a command to apply on all threads");
        }
        let threads = request.threads(session)?;
        let (line, merge) = match merging(request.line) {
            Some(line) => (line, true),
            None => (request.line.to_owned(), request.merge),
        };
        let family = session.has_family();
        let current = session.inferior.number;
        let selected = selections(session);
        let mut answers = Vec::with_capacity(threads.len());
        for id in threads {
            // The command itself may have left some.
            if session.cancel.is_cancelled()
                || session.quit
                || !session.select_inferior(id.inferior)
            {
                break;
            }
            let thread = ThreadView::find(session, id.thread)?;
            (session.inferior.thread, session.inferior.frame) = (id.thread, 0);
            let outcome = Outcome::of(session, &line);
            if session.quit || session.inferior.process.is_none() {
                break;
            }
            if outcome.report().is_ok() || !request.silent {
                answers.push(Answer {
                    inferior: family.then_some(id.inferior),
                    thread,
                    outcome,
                });
            }
        }
        for inferior in session.inferiors_mut() {
            if let Some((_, thread, frame)) = selected
                .iter()
                .find(|(number, ..)| *number == inferior.number)
            {
                (inferior.thread, inferior.frame) = (*thread, *frame);
            }
        }
        session.select_inferior(current);
        session.again = None;
        if let Some(why) = common_error(answers.iter().map(|answer| &answer.outcome)) {
            bail!("{why}");
        }
        Ok(Box::new(Answers {
            answers,
            quiet: request.quiet,
            merge,
        }))
    }
}

/// The numbers of all inferiors, with the thread and the frame that are selected in each.
fn selections(session: &Session) -> Vec<(usize, usize, usize)> {
    let all = session.inferiors().into_iter();
    all.map(|inferior| (inferior.number, inferior.thread, inferior.frame))
        .collect()
}

/// A command for stacks that is itself asked to merge them, without that.
fn merging(line: &str) -> Option<String> {
    const STACKS: [&str; 5] = ["bt", "backtrace", "where", "py-bt", "py-where"];
    let is_merge = |word: &&str| ["-m", "-merge", "--merge"].contains(word);
    let words: Vec<&str> = line.split_whitespace().collect();
    let stacks = STACKS.contains(words.first()?) && words.iter().any(is_merge);
    let rest: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !is_merge(word))
        .collect();
    stacks.then(|| rest.join(" "))
}

/// What the command said of one thread.
struct Answer {
    /// The number of its inferior, where there are several.
    inferior: Option<usize>,
    thread: ThreadView,
    outcome: Outcome,
}

/// What it said of all.
struct Answers {
    answers: Vec<Answer>,
    quiet: bool,
    merge: bool,
}

impl Answers {
    /// The answers that are shown as one.
    fn groups(&self) -> Vec<Vec<&Answer>> {
        group::of(&self.answers, self.merge, |a| a.outcome.sameness())
    }
}

impl Answers {
    fn merged_json(&self) -> Value {
        let group = |group: Vec<&Answer>| {
            let first = group.first()?;
            let view = |answer: &&Answer| answer.with_inferior(json!(answer.thread));
            let threads: Vec<Value> = group.iter().map(view).collect();
            let mut object = Map::new();
            object.insert("count".into(), json!(group.len()));
            object.insert("threads".into(), json!(threads));
            match first.outcome.report() {
                Err(why) => object.insert("error".into(), json!(why)),
                Ok(report) => match single_stack(report.json()) {
                    Ok(frames) => object.insert("frames".into(), frames),
                    Err(other) => object.insert("data".into(), other),
                },
            };
            Some(Value::Object(object))
        };
        let groups: Vec<Value> = self.groups().into_iter().filter_map(group).collect();
        json!({ "groups": groups })
    }
}

impl Answer {
    /// A JSON object about the thread, with the number of its inferior where there are several.
    fn with_inferior(&self, mut object: Value) -> Value {
        if let (Some(object), Some(number)) = (object.as_object_mut(), self.inferior) {
            object.insert("inferior".into(), json!(number));
        }
        object
    }

    fn header(&self, out: &mut Out<'_>) -> io::Result<()> {
        let thread = &self.thread;
        let name = thread_id::several(self.inferior, &[thread.id.unwrap_or(0)]);
        out.styled(
            Style::Strong,
            &format!("Thread {name} ({}", thread.target_id()),
        )?;
        if let Some(name) = thread.name.as_ref().or(thread.os_name.as_ref()) {
            out.styled(Style::Strong, &format!(" \"{name}\""))?;
        }
        out.styled(Style::Strong, "):")?;
        out.end()
    }
}

impl Report for Answers {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for group in self.groups() {
            let Some(first) = group.first() else {
                continue;
            };
            if !self.quiet {
                out.end()?;
                match group.as_slice() {
                    [answer] => answer.header(out)?,
                    several => group_header(out, several)?,
                }
            }
            first.outcome.text(out)?;
        }
        Ok(())
    }

    /// The `threads` of the single answers in one list; answers of another shape by thread.
    fn json(&self) -> Value {
        if self.merge {
            return self.merged_json();
        }
        let mut threads = Vec::new();
        let mut results = Vec::new();
        for answer in &self.answers {
            let (key, value) = match answer.outcome.report() {
                Err(why) => ("error", json!(why)),
                Ok(report) => match report.json() {
                    Value::Object(mut object) if is_thread_list_answer(&object) => {
                        if let Some(Value::Array(list)) = object.remove("threads") {
                            let list = list.into_iter();
                            threads.extend(list.map(|thread| answer.with_inferior(thread)));
                        }
                        continue;
                    }
                    other => ("data", other),
                },
            };
            let thread = &answer.thread;
            let result = json!({ "id": thread.id, "tid": thread.tid, key: value });
            results.push(answer.with_inferior(result));
        }
        match (threads.is_empty(), results.is_empty()) {
            (_, true) => json!({ "threads": threads }),
            (true, false) => json!({ "results": results }),
            (false, false) => json!({ "threads": threads, "results": results }),
        }
    }

    fn notes(&self) -> Vec<Note> {
        let of_one = |answer: &Answer| {
            let mut notes = answer.outcome.notes();
            if answer.outcome.report().is_err() {
                let name = thread_id::several(answer.inferior, &[answer.thread.id.unwrap_or(0)]);
                for note in &mut notes {
                    note.text = format!("thread {name}: {}", note.text);
                }
            }
            notes
        };
        distinct(self.answers.iter().flat_map(of_one))
    }
}

/// The header of threads that are shown as one: `Threads 1.2-3,2.1 (3 threads):`.
fn group_header(out: &mut Out<'_>, group: &[&Answer]) -> io::Result<()> {
    if group.iter().all(|answer| answer.inferior.is_none()) {
        let threads: Vec<_> = group.iter().map(|answer| &answer.thread).collect();
        return group::header(out, &threads);
    }
    let processes = group.chunk_by(|one, other| one.inferior == other.inferior);
    let names = processes.map(|process| {
        let mut ids: Vec<usize> = process.iter().filter_map(|a| a.thread.id).collect();
        ids.sort_unstable();
        ids.dedup();
        let number = process.first().and_then(|answer| answer.inferior);
        thread_id::several(number, &ids)
    });
    let names: Vec<String> = names.collect();
    let title = format!("Threads {}", names.join(","));
    out.styled(Style::Strong, &title)?;
    out.put(format_args!(" ({} threads):\n", group.len()))
}

/// Whether an answer is nothing but a list of threads.
fn is_thread_list_answer(object: &Map<String, Value>) -> bool {
    object.len() == 1 && object.get("threads").is_some_and(Value::is_array)
}
