//! The clocks of a process: now, where it lives, or at the moment when pydbg wrote its core.

use super::proc;
use super::proc_files::ProcFiles;
use super::proc_note::Moment;
use nix::time::{ClockId, clock_gettime};
use std::fs;
use std::time::{Duration, SystemTime};

/// What one of the process's clocks says; `None` for clocks other than the two that programs wait
/// by.
pub fn now(files: &ProcFiles, clock: i32) -> Option<Duration> {
    let moment = match files {
        ProcFiles::Live(task) => moment(task.pid),
        ProcFiles::Kept(kept) => kept.moment()?,
    };
    match clock {
        libc::CLOCK_REALTIME => Some(moment.realtime),
        libc::CLOCK_MONOTONIC => Some(moment.monotonic),
        _ => None,
    }
}

/// When the process started.
pub fn started(files: &ProcFiles) -> Option<SystemTime> {
    match files {
        ProcFiles::Live(task) => proc::start_time(task.pid),
        ProcFiles::Kept(kept) => SystemTime::UNIX_EPOCH.checked_add(kept.moment()?.started?),
    }
}

/// This moment, by the clocks of a live process.
pub(super) fn moment(pid: i32) -> Moment {
    let time = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    let started = proc::start_time(pid);
    Moment {
        pid,
        realtime: time(ClockId::CLOCK_REALTIME),
        monotonic: shifted(pid, time(ClockId::CLOCK_MONOTONIC)),
        started: started.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()),
    }
}

/// The monotonic clock in the time namespace of a process; the kernel says by how much it differs.
fn shifted(pid: i32, time: Duration) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/timens_offsets")).unwrap_or_default();
    let offset = text.lines().find_map(|line| {
        let mut words = line.strip_prefix("monotonic")?.split_whitespace();
        let whole: i64 = words.next()?.parse().ok()?;
        Some(whole)
    });
    match offset.unwrap_or(0) {
        ahead @ 0.. => time.saturating_add(Duration::from_secs(ahead.unsigned_abs())),
        behind => time.saturating_sub(Duration::from_secs(behind.unsigned_abs())),
    }
}
