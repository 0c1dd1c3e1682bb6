//! How far long work has come, on a line of the terminal that is wiped when the work ends. Short
//! work shows nothing, and neither does work whose standard error is not a terminal.

use pydbg::diag::{Progress, Step};
use pydbg::escape::escape;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Work shorter than this is not worth a line.
const SILENCE: Duration = Duration::from_millis(300);

/// What draws the line.
pub fn listener() -> Progress {
    if !std::io::stderr().is_terminal() {
        return Progress::default();
    }
    let since = Mutex::new(None);
    Progress::new(move |step| {
        let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
        let start: Instant = *since.get_or_insert_with(Instant::now);
        if Some(step.done) == step.total {
            *since = None;
        }
        if start.elapsed() >= SILENCE {
            // Nobody is left to tell when the terminal is gone.
            _ = std::io::stderr().write_all(line(step).as_bytes());
        }
    })
}

/// The line, without its end; what was there before is wiped.
fn line(step: &Step<'_>) -> String {
    const WIPE: &str = "\r\x1b[K";
    let (what, done) = (escape(step.what), step.unit.amount(step.done));
    match step.total {
        Some(total) if step.done >= total => WIPE.to_owned(),
        Some(total) => format!("{WIPE}{what}: {done} of {}", step.unit.amount(total)),
        None => format!("{WIPE}{what}: {done}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pydbg::diag::Unit;

    #[test]
    fn the_line_is_wiped_at_the_end() {
        let step = |done, total| Step {
            what: "unpacking c\x1b.zst",
            done,
            total,
            unit: Unit::Bytes,
        };
        assert_eq!(line(&step(5, Some(5))), "\r\x1b[K");
        let shown = line(&step(2_000_000, Some(4_000_000)));
        assert!(shown.contains("c\\x1b.zst: 2.0 MB of 4.0 MB"), "{shown:?}");
    }
}
