//! The same work for each of many things, on several threads, each within a time of its own. The
//! kernel may let a reader of /proc wait as long as it likes, so work that is blocked when its time
//! is over is left behind, and others go on with the rest. Work that runs is only slow, as on an
//! overloaded machine, and gets more time.

use crate::diag::Cancel;
use crate::target::proc::Task;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long work must be blocked to be given up when its time is over.
const GRACE: Duration = Duration::from_millis(100);

/// How many times as long work may take that runs.
const WHILE_RUNNING: u32 = 5;

/// The shortest time that work has, however much took too long before.
const SHORTEST: Duration = Duration::from_millis(200);

/// What workers tell.
enum Told<R> {
    Began(usize, Cancel, Task),
    Ended(usize, R),
}

/// The things, and which is next.
struct Queue<T, F> {
    items: Vec<T>,
    next: AtomicUsize,
    work: F,
}

/// What `work` gives for each of `items`, in their order; `None` where that took longer than
/// `limit`. Each that did halves the time of the others, so that many do not take for ever. When
/// `cancel` is set, what has not ended is `None` too.
pub fn each<T, R, F>(items: Vec<T>, mut limit: Duration, cancel: &Cancel, work: F) -> Vec<Option<R>>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(&T, &Cancel) -> R + Send + Sync + 'static,
{
    let count = items.len();
    let mut results: Vec<Option<R>> = (0..count).map(|_| None).collect();
    let queue = Arc::new(Queue {
        items,
        next: AtomicUsize::new(0),
        work,
    });
    let (tell, told) = channel();
    let workers = thread::available_parallelism().map_or(2, usize::from);
    if (0..workers.min(count))
        .filter(|_| start(&queue, &tell))
        .count()
        == 0
    {
        return results;
    }
    let mut running: FxHashMap<usize, Running> = FxHashMap::default();
    let mut open = count;
    while open > 0 {
        match next(&told, &running, limit) {
            Ok(Told::Began(index, cancel, task)) => {
                running.insert(index, Running::new(cancel, task));
            }
            Ok(Told::Ended(index, result)) => {
                // What was given up may end after all.
                if let Some(work) = running.remove(&index) {
                    open -= 1;
                    if let Some(slot) = results.get_mut(index) {
                        *slot = (!work.cancel.is_cancelled()).then_some(result);
                    }
                }
            }
            Err(_) => {}
        }
        if cancel.is_cancelled() {
            queue.next.store(count, Ordering::Relaxed);
            break;
        }
        let late = running
            .iter_mut()
            .filter_map(|(index, work)| work.is_late(limit).then_some(*index));
        let late: Vec<usize> = late.collect();
        for index in late {
            running.remove(&index);
            open -= 1;
            limit = (limit / 2).max(SHORTEST.min(limit));
            if !start(&queue, &tell) && running.is_empty() {
                return results;
            }
        }
    }
    results
}

/// Work that is being done.
struct Running {
    since: Instant,
    cancel: Cancel,
    /// The thread that does it.
    task: Task,
    /// Since when it was seen blocked after its time.
    blocked: Option<Instant>,
}

impl Running {
    fn new(cancel: Cancel, task: Task) -> Running {
        Running {
            since: Instant::now(),
            cancel,
            task,
            blocked: None,
        }
    }

    /// Cancels it when there is no hope; whether it should have ended since.
    fn is_late(&mut self, limit: Duration) -> bool {
        let time = self.since.elapsed();
        if time <= limit {
            return false;
        }
        let runs = self.task.stat().is_some_and(|stat| stat.state == 'R');
        if runs && time <= limit * WHILE_RUNNING {
            self.blocked = None;
            return false;
        }
        let blocked = self.blocked.get_or_insert_with(Instant::now).elapsed();
        if blocked > GRACE / 2 {
            self.cancel.cancel();
        }
        blocked > GRACE
    }
}

/// What is told next; a timeout when the time of something is over first.
fn next<R>(
    told: &Receiver<Told<R>>,
    running: &FxHashMap<usize, Running>,
    limit: Duration,
) -> Result<Told<R>, RecvTimeoutError> {
    // Ctrl-C is noticed in between.
    const OFTEN: Duration = Duration::from_millis(20);
    let times = running.values().map(|work| work.since.elapsed());
    let left = times.filter_map(|time| limit.checked_sub(time)).min();
    told.recv_timeout(left.map_or(OFTEN, |left| left.min(OFTEN)))
}

/// Starts a worker; whether that was possible.
fn start<T, R, F>(queue: &Arc<Queue<T, F>>, tell: &Sender<Told<R>>) -> bool
where
    T: Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(&T, &Cancel) -> R + Send + Sync + 'static,
{
    let (queue, tell) = (Arc::clone(queue), tell.clone());
    let work = move || {
        loop {
            let index = queue.next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = queue.items.get(index) else {
                return;
            };
            let cancel = Cancel::default();
            let task = Task {
                pid: nix::unistd::getpid().as_raw(),
                tid: nix::unistd::gettid().as_raw(),
            };
            // Nobody listens any more when the whole was cancelled.
            if tell.send(Told::Began(index, cancel.clone(), task)).is_err() {
                return;
            }
            let result = (queue.work)(item, &cancel);
            if tell.send(Told::Ended(index, result)).is_err() {
                return;
            }
        }
    };
    let started = thread::Builder::new().name("glance".into()).spawn(work);
    started.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_left_behind() {
        // The limit is far from both, for the machine may be busy.
        let times = vec![0_u64, 60_000, 0, 60_000, 0, 0];
        let sleep = |ms: &u64, _: &Cancel| {
            thread::sleep(Duration::from_millis(*ms));
            *ms
        };
        let start = Instant::now();
        let results = each(times, Duration::from_millis(500), &Cancel::default(), sleep);
        let expected = [Some(0), None, Some(0), None, Some(0), Some(0)];
        assert_eq!(results, expected);
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn cancelled_work_is_not_believed() {
        let wait = |_: &u8, cancel: &Cancel| {
            while !cancel.is_cancelled() {
                thread::sleep(Duration::from_millis(1));
            }
        };
        let results = each(
            vec![1, 2],
            Duration::from_millis(5),
            &Cancel::default(),
            wait,
        );
        assert_eq!(results, [None, None]);
        let all = Cancel::default();
        all.cancel();
        assert_eq!(
            each(vec![1, 2], Duration::from_secs(9), &all, wait),
            [None, None]
        );
    }
}
