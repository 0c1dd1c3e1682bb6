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
    /// PY_VERSION_HEX.
    pub(crate) hexversion: u32,
    /// All Python threads.
    pub(crate) threads: Vec<TruthThread>,
    /// Facts of this fixture alone.
    #[serde(default)]
    pub(crate) expect: Value,
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
    /// The lines the innermost frame may be in, for a thread that runs.
    #[serde(default)]
    pub(crate) line_range: Option<(i64, i64)>,
    /// Innermost first.
    pub(crate) frames: Vec<TruthFrame>,
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
    /// `f_lineno`.
    pub(crate) line: i64,
    /// Line, end line, column, end column (3.11+).
    pub(crate) positions: Option<[Option<i64>; 4]>,
    /// What it runs.
    pub(crate) kind: String,
}

impl Truth {
    /// Reads the truth file.
    pub(crate) fn read(path: &Path) -> Truth {
        let text = std::fs::read_to_string(path).expect("the truth file is there");
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Holds the `threads` of a `py-bt all` answer against the truth.
    pub(crate) fn compare(&self, data: &Value) -> Result<(), String> {
        let empty = Vec::new();
        let threads = data["threads"].as_array().unwrap_or(&empty);
        let mut wrong = Vec::new();
        for truth in &self.threads {
            let ident = format!("{:#x}", truth.ident);
            match threads.iter().find(|t| t["ident"].as_str() == Some(&ident)) {
                None => wrong.push(format!("thread {ident} ({:?}) is not shown", truth.name)),
                Some(thread) => truth.compare(thread, &mut wrong),
            }
        }
        for thread in threads.iter().filter(|t| t["ident"].is_string()) {
            let known = |t: &TruthThread| thread["ident"] == format!("{:#x}", t.ident);
            if !self.threads.iter().any(known) {
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

impl TruthThread {
    fn compare(&self, thread: &Value, wrong: &mut Vec<String>) {
        let who = format!("thread {:?}", self.name);
        if let Some(native_id) = self.native_id {
            if thread["tid"].as_i64() != Some(native_id.into()) {
                wrong.push(format!("{who}: tid {} is not {native_id}", thread["tid"]));
            }
        }
        if self.name.is_some() && thread["name"].as_str() != self.name.as_deref() {
            wrong.push(format!("{who}: name {}", thread["name"]));
        }
        let empty = Vec::new();
        let frames = thread["frames"].as_array().unwrap_or(&empty);
        let line = |(function, file, line): (&str, &str, i64)| format!("{function} {file}:{line}");
        let shown: Vec<String> = frames.iter().map(|f| line(key(f))).collect();
        let truth: Vec<String> = self
            .frames
            .iter()
            .map(|f| line((&f.function, &f.file, f.line)))
            .collect();
        match self.line_range {
            None if shown != truth => {
                wrong.push(format!("{who}: {}", first_difference(&shown, &truth)));
                return;
            }
            Some((first, last)) => {
                let at = frames
                    .first()
                    .map_or(-1, |f| f["line"].as_i64().unwrap_or(-1));
                if !(first..=last).contains(&at) {
                    wrong.push(format!("{who}: line {at} is not within {first}..={last}"));
                }
                if shown.get(1..) != truth.get(1..) {
                    wrong.push(format!("{who}: {}", first_difference(&shown, &truth)));
                }
                return;
            }
            None => {}
        }
        for (frame, truth) in frames.iter().zip(&self.frames) {
            if truth.qualname.is_some() && frame["qualname"].as_str() != truth.qualname.as_deref() {
                wrong.push(format!(
                    "{who}: qualname {} of {truth:?}",
                    frame["qualname"]
                ));
            }
            if frame["kind"].as_str() != Some(&truth.kind) {
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
}

fn key(frame: &Value) -> (&str, &str, i64) {
    (
        frame["function"].as_str().unwrap_or("?"),
        frame["file"].as_str().unwrap_or("?"),
        frame["line"].as_i64().unwrap_or(-1),
    )
}

fn first_difference(shown: &[String], truth: &[String]) -> String {
    let none = "nothing".to_owned();
    let at = (0..shown.len().max(truth.len()))
        .find(|&i| shown.get(i) != truth.get(i))
        .unwrap_or(0);
    format!(
        "frame {at} of {}/{}: shown {}, truth {}",
        shown.len(),
        truth.len(),
        shown.get(at).unwrap_or(&none),
        truth.get(at).unwrap_or(&none)
    )
}
