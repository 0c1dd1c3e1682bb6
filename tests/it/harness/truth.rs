//! What a fixture wrote down about itself, and how pydbg's answer is held against it.

use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// The truth of one fixture run.
#[derive(Deserialize, Debug)]
pub(crate) struct Truth {
    /// The process to look at.
    pub(crate) pid: i32,
    /// How it ends: `wait`, or by a signal of its own.
    pub(crate) exit: String,
    /// All Python threads.
    pub(crate) threads: Vec<TruthThread>,
    /// Idents of thread states that 2.7 keeps of threads that a fork left behind.
    #[serde(default)]
    ghosts: Vec<u64>,
    /// Facts of this fixture alone.
    #[serde(default)]
    pub(crate) expect: Value,
    /// What its probes found, and everything else.
    #[serde(flatten)]
    pub(crate) probes: serde_json::Map<String, Value>,
}

/// One Python thread, as `threading` and `sys._current_frames()` know it.
#[derive(Deserialize, Debug)]
pub(crate) struct TruthThread {
    /// `threading.get_ident()`.
    pub(crate) ident: u64,
    /// `threading.get_native_id()`, where there is one.
    pub(crate) native_id: Option<i32>,
    /// The `threading.Thread`'s name.
    pub(crate) name: Option<String>,
    /// Innermost first.
    pub(crate) frames: Vec<TruthFrame>,
    /// The interpreter's id, where the thread runs several.
    pub(crate) interpreter: Option<i64>,
    /// The kind of thing it does.
    pub(crate) doing: Option<String>,
    /// What it is in the middle of.
    pub(crate) within: Option<Vec<String>>,
    /// What it waits for, in one word.
    pub(crate) waits: Option<String>,
    /// The system call it waits in.
    #[serde(default)]
    pub(crate) waits_in: Value,
    /// Whether this thread, not the main one, is the one that crashes.
    #[serde(default)]
    crashes: bool,
}

/// One Python frame.
#[derive(Deserialize, Debug)]
pub(crate) struct TruthFrame {
    /// `co_name`.
    pub(crate) function: String,
    /// `co_qualname` (3.11+).
    pub(crate) qualname: Option<String>,
    /// `co_filename`.
    pub(crate) file: String,
    /// `f_lineno`; `None` for code that keeps moving.
    pub(crate) line: Option<i64>,
    /// The lines that moving code may be in.
    #[serde(default)]
    pub(crate) line_range: Option<(i64, i64)>,
    /// Line, end line, column, end column (3.11+).
    pub(crate) positions: Option<[Option<i64>; 4]>,
    /// What it runs; `None` where the fixture could not tell.
    pub(crate) kind: Option<String>,
}

impl Truth {
    /// Reads the truth file.
    pub(crate) fn read(path: &Path) -> Truth {
        let text = std::fs::read_to_string(path).expect("the truth file is there");
        let text = write_out_lone_surrogates(&text);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// The thread that crashes: the one that says so, else the main one.
    pub(crate) fn crashing(&self) -> &TruthThread {
        let stated = self.threads.iter().find(|thread| thread.crashes);
        stated.unwrap_or(&self.threads[0])
    }

    /// Holds the `threads` of a `py-bt all` answer against the truth.
    pub(crate) fn compare(&self, data: &Value) -> Result<(), String> {
        self.compare_each(data, TruthThread::match_all)
    }

    /// The same for a core that gdb 13's gcore wrote of a process with glibc 2.42 or later. That
    /// glibc makes the guard pages of a thread's stack with MADV_GUARD_INSTALL, within the mapping;
    /// gdb reads a mapping in pieces of 1 MiB, and where the first one fails ("Memory read failed
    /// for corefile section, 1048576 bytes") it leaves zeros for the whole stack. Lost with it are
    /// the links between activations of the evaluation loop, so pydbg shows frames from the data
    /// stack, where those of generators do not lie. What the innermost activation runs and all
    /// plain functions must be shown, and a note must say that more is lost.
    pub(crate) fn compare_without_stacks(&self, document: &Value) -> Result<(), String> {
        let data = &document["data"];
        self.compare_each(data, TruthThread::match_without_stack)?;
        let says_so = |note: &Value| {
            let text = note["text"].as_str().unwrap_or_default();
            note["severity"] == "partial" && text.contains("gcore") && text.contains("guard pages")
        };
        let notes = document["notes"].as_array();
        let threads = data["threads"].as_array().into_iter().flatten();
        let mut frames = threads.flat_map(|t| t["frames"].as_array().into_iter().flatten());
        let noted = notes.is_some_and(|notes| notes.iter().any(says_so));
        if !noted && frames.any(is_from_data_stack) {
            return Err("no note tells of the lost stacks".into());
        }
        Ok(())
    }

    fn compare_each(&self, data: &Value, matched: Matched) -> Result<(), String> {
        let empty = Vec::new();
        let threads = data["threads"].as_array().unwrap_or(&empty);
        let mut wrong = Vec::new();
        for truth in &self.threads {
            let ident = format!("{:#x}", truth.ident);
            let is_it = |shown: &&Value| {
                let same = |id| shown["interpreter"] == id;
                shown["ident"].as_str() == Some(&ident) && truth.interpreter.is_none_or(same)
            };
            match threads.iter().find(is_it) {
                None => wrong.push(format!("thread {ident} ({:?}) is not shown", truth.name)),
                Some(thread) => truth.compare(thread, matched, &mut wrong),
            }
        }
        for thread in threads.iter().filter(|t| t["ident"].is_string()) {
            let has = |ident: u64| thread["ident"] == format!("{ident:#x}");
            let ghost = thread["tid"].is_null() && self.ghosts.iter().any(|&g| has(g));
            if !ghost && !self.threads.iter().any(|t| has(t.ident)) {
                wrong.push(format!(
                    "thread {} does not exist in truth",
                    thread["ident"]
                ));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }
}

/// Finds the true frame of each shown one.
type Matched = for<'a> fn(&'a TruthThread, &[Value]) -> Result<Vec<&'a TruthFrame>, String>;

/// Whether only the data stack led to a shown frame.
fn is_from_data_stack(frame: &Value) -> bool {
    frame["origin"] == "data-stack"
}

impl TruthThread {
    fn compare(&self, thread: &Value, matched: Matched, wrong: &mut Vec<String>) {
        let who = format!("thread {:?}", self.name);
        if let Some(native_id) = self.native_id
            && thread["tid"].as_i64() != Some(native_id.into())
        {
            wrong.push(format!("{who}: tid {} is not {native_id}", thread["tid"]));
        }
        if self.name.is_some() && thread["name"].as_str() != self.name.as_deref() {
            wrong.push(format!("{who}: name {}", thread["name"]));
        }
        let empty = Vec::new();
        let frames = thread["frames"].as_array().unwrap_or(&empty);
        let truths = match matched(self, frames) {
            Ok(truths) => truths,
            Err(why) => return wrong.push(format!("{who}: {why}")),
        };
        for (frame, truth) in frames.iter().zip(truths) {
            if truth.qualname.is_some() && frame["qualname"].as_str() != truth.qualname.as_deref() {
                wrong.push(format!(
                    "{who}: qualname {} of {truth:?}",
                    frame["qualname"]
                ));
            }
            if truth.kind.is_some() && frame["kind"].as_str() != truth.kind.as_deref() {
                wrong.push(format!("{who}: kind {} of {truth:?}", frame["kind"]));
            }
            if let Some(positions) = truth.positions {
                let shown = ["line", "end_line", "column", "end_column"].map(|k| frame[k].as_i64());
                if shown != positions {
                    wrong.push(format!(
                        "{who}: {} at {shown:?}, truth {positions:?}",
                        truth.function
                    ));
                }
            }
        }
    }

    /// Every frame is shown.
    fn match_all(&self, frames: &[Value]) -> Result<Vec<&TruthFrame>, String> {
        let count = frames.len().max(self.frames.len());
        let differs = (0..count).find(|&i| match (frames.get(i), self.frames.get(i)) {
            (Some(shown), Some(truth)) => !truth.is(shown),
            _ => true,
        });
        match differs {
            None => Ok(self.frames.iter().collect()),
            Some(at) => Err(format!(
                "frame {at} of {}/{}: shown {}, truth {:?}",
                frames.len(),
                self.frames.len(),
                frames.get(at).map_or("nothing".into(), Value::to_string),
                self.frames.get(at)
            )),
        }
    }

    /// Every frame is shown but those of generators next to one from the data stack.
    fn match_without_stack(&self, frames: &[Value]) -> Result<Vec<&TruthFrame>, String> {
        let mut truths = self.frames.iter();
        let mut found = Vec::new();
        for (index, shown) in frames.iter().enumerate() {
            let missing = |truth: &TruthFrame| is_from_data_stack(shown) && truth.is_generators();
            match truths.find(|truth| truth.is(shown) || !missing(truth)) {
                Some(truth) if truth.is(shown) => found.push(truth),
                other => return Err(format!("frame {index}: shown {shown}, truth {other:?}")),
            }
        }
        match truths.next() {
            None => Ok(found),
            lost => Err(format!("{lost:?} is not shown")),
        }
    }
}

impl TruthFrame {
    /// Whether `shown` is this frame.
    fn is(&self, shown: &Value) -> bool {
        let line = shown["line"].as_i64();
        let line_is_true = match self.line_range {
            Some((first, last)) => line.is_some_and(|l| (first..=last).contains(&l)),
            None => line == self.line,
        };
        line_is_true
            && shown["function"].as_str() == Some(&self.function)
            && shown["file"].as_str() == Some(&self.file)
    }

    /// Whether it lies within a generator, not on the data stack.
    fn is_generators(&self) -> bool {
        self.kind.as_ref().is_some_and(|kind| kind != "function")
    }
}

/// Rust's strings cannot hold a lone surrogate; pydbg writes one out as `\\udXXX`, as Python's
/// `backslashreplace` does. The same is done to the truth's `\udXXX` escapes that have no partner.
fn write_out_lone_surrogates(json: &str) -> String {
    let unit = |at: usize| -> Option<u16> {
        let escape = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let (mut out, mut at) = (String::new(), 0);
    while let Some(c) = json[at..].chars().next() {
        match (c, unit(at)) {
            ('\\', Some(0xd800..0xdc00)) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => {
                out.push_str(&json[at..at + 12]);
                at += 12;
            }
            ('\\', Some(0xd800..0xe000)) => {
                out.push('\\');
                out.push_str(&json[at..at + 6]);
                at += 6;
            }
            ('\\', _) => {
                out.push_str(&json[at..at + 2]);
                at += 2;
            }
            _ => {
                out.push(c);
                at += c.len_utf8();
            }
        }
    }
    out
}
