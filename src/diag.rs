//! What was noticed during work: notes for the user; progress and cancellation of long work.

use serde::Serialize;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much a note weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the answer is whole.
    Info,
    /// Part of the answer is missing or less sure. The exit status becomes 3.
    Partial,
}

/// One thing noticed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Note {
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence, lower case, no full stop; may quote the target, so escape before printing.
    pub text: String,
}

impl Note {
    /// A note that leaves the answer whole.
    pub fn info(text: impl Into<String>) -> Note {
        Note {
            severity: Severity::Info,
            text: text.into(),
        }
    }

    /// A note that something is missing or less sure.
    pub fn partial(text: impl Into<String>) -> Note {
        Note {
            severity: Severity::Partial,
            text: text.into(),
        }
    }
}

/// The most notes kept; a damaged core could otherwise produce millions.
const MOST_NOTES: usize = 1000;

/// Notes gathered during work, in order, each once. Cheap to clone: clones share one list.
#[derive(Clone, Default, Debug)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    /// Adds a note that leaves the answer whole.
    pub fn info(&self, text: impl Into<String>) {
        self.add(Note::info(text));
    }

    /// Adds a note that something is missing or less sure.
    pub fn partial(&self, text: impl Into<String>) {
        self.add(Note::partial(text));
    }

    /// All notes so far.
    pub fn all(&self) -> Vec<Note> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many notes there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a note.
    pub fn add(&self, note: Note) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MOST_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }
}

/// A flag that long work looks at, set by Ctrl-C. Clones share the flag.
#[derive(Clone, Default, Debug)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the running work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Makes the flag ready for the next command.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a piece of long work has come.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// What is done: `unpacking core.zst`. May quote the target, so escape before printing.
    pub what: &'a str,
    /// How much is done.
    pub done: u64,
    /// How much there is in all, if known.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: Unit,
}

/// What the steps of long work are counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things of this name, such as `objects`.
    Things(&'static str),
}

impl Unit {
    /// An amount for people: `612 MB`, `12,345 objects`.
    pub fn amount(self, number: u64) -> String {
        match self {
            Unit::Bytes => human(number),
            Unit::Things(name) => {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                format!("{} {name}", thousands(number))
            }
        }
    }
}

/// Hears how far long work has come, a few times a second and from any thread. Clones share the
/// listener; the default one hears nothing.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Listener>>);

struct Listener {
    hear: Box<dyn Fn(&Step<'_>) + Send + Sync>,
    last: Mutex<Option<Instant>>,
}

impl Progress {
    /// Calls `hear` with the steps.
    pub fn new(hear: impl Fn(&Step<'_>) + Send + Sync + 'static) -> Progress {
        Progress(Some(Arc::new(Listener {
            hear: Box::new(hear),
            last: Mutex::new(None),
        })))
    }

    /// Tells a step, unless one was told a moment ago; the last one always.
    pub fn tell(&self, step: &Step<'_>) {
        const PAUSE: Duration = Duration::from_millis(100);
        let Some(listener) = &self.0 else {
            return;
        };
        let mut last = listener.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = Some(step.done) == step.total;
        if is_last || last.is_none_or(|last| last.elapsed() >= PAUSE) {
            (listener.hear)(step);
            *last = Some(Instant::now());
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heard = if self.0.is_some() { "heard" } else { "unheard" };
        write!(f, "Progress({heard})")
    }
}

/// A size for people: `612 MB`. Units are powers of 1000, as disks and networks count.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = bytes as f64;
    let mut unit = "bytes";
    for larger in UNITS {
        if size < 999.5 {
            break;
        }
        size /= 1000.0;
        unit = larger;
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ if size < 9.95 => format!("{size:.1} {unit}"),
        _ => format!("{size:.0} {unit}"),
    }
}

/// A number for people: `12,345`.
pub fn thousands(number: impl TryInto<u128>) -> String {
    let digits = number.try_into().unwrap_or(u128::MAX).to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 thread`, `2,000 threads`, `3 processes`: a number of what `noun` names.
pub fn counted(number: impl TryInto<u128>, noun: &str) -> String {
    let digits = thousands(number);
    let ending = match noun {
        _ if digits == "1" => "",
        noun if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{digits} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::{human, thousands};

    #[test]
    fn sizes_are_short() {
        let sizes = [
            0,
            999,
            1000,
            9_949,
            9_950,
            999_499,
            999_500,
            64 << 30,
            u64::MAX,
        ];
        let said = [
            "0 bytes",
            "999 bytes",
            "1.0 kB",
            "9.9 kB",
            "10 kB",
            "999 kB",
            "1.0 MB",
            "69 GB",
            "18 EB",
        ];
        assert_eq!(sizes.map(human), said);
    }

    #[test]
    fn large_numbers_are_grouped() {
        let numbers = [999, 999_950, 1_000_000].map(thousands);
        assert_eq!(numbers, ["999", "999,950", "1,000,000"]);
    }
}
