//! Waits for conditions, events, semaphores and barriers (Lib/threading.py), and for what else is
//! made of a condition: queues and futures. All of them sleep in `Condition.wait`, each thread on
//! a fresh lock of its own; the methods that led there say what it stands for.

use super::view::{Found, Waiter};
use super::{Kind, Owner, View, futures, python_lock, queues};
use crate::addr::Addr;
use crate::python::PyFrame;
use crate::python::doing::library;

/// The most library functions that lead to one wait.
const MOST_FRAMES: usize = 10;

/// A thread in `Condition.wait`, asleep until the condition is notified.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConditionWait {
    pub(super) condition: Addr,
    /// It has been notified, and will go on as soon as it runs.
    pub(super) notified: bool,
    /// It gives up by itself after some time.
    pub(super) timed: bool,
}

/// What is said of one wait: who could end it, where that is known, and what it rests on.
pub(super) struct Said {
    pub(super) owner: Option<Owner>,
    pub(super) evidence: String,
}

/// A class whose methods wait for something that its instances are made of.
pub(super) struct Layer {
    pub(super) kind: Kind,
    /// Full names; those with an underscore are 2.7's, where the public names are functions.
    pub(super) classes: &'static [&'static str],
    /// The attributes that its methods wait for; mangled ones are 2.7's.
    pub(super) parts: &'static [&'static str],
    /// What is said of a thread that waits for a part of an instance.
    pub(super) say: fn(&View<'_>, &Step<'_>) -> Said,
}

/// A method that waits for a part of what it belongs to.
pub(super) struct Step<'f> {
    pub(super) object: Addr,
    pub(super) part: &'static str,
    pub(super) frame: &'f PyFrame,
}

/// From the inside to the outside.
const LAYERS: &[&[Layer]] = &[EVENTS, queues::LAYERS, futures::LAYERS];

const EVENTS: &[Layer] = &[
    Layer {
        kind: Kind::Event,
        classes: &["threading.Event", "threading._Event"],
        parts: &["_cond", "_Event__cond"],
        say: event,
    },
    Layer {
        kind: Kind::Semaphore,
        classes: &["threading.Semaphore", "threading._Semaphore"],
        parts: &["_cond", "_Semaphore__cond"],
        say: semaphore,
    },
    Layer {
        kind: Kind::Barrier,
        classes: &["threading.Barrier"],
        parts: &["_cond"],
        say: barrier,
    },
];

/// The outermost object of the library that the thread waits for by way of a condition.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let wait = waiter.condition(view)?;
    let mut object = wait.condition;
    let mut found: Option<(&Layer, Step<'_>)> = None;
    let mut beyond = None;
    let frames = waiter.frames(view).iter().skip(1).take(MOST_FRAMES);
    for frame in frames.take_while(|frame| library(&frame.file).is_some()) {
        let receiver = view.receiver(frame);
        if receiver == Some(object) {
            continue;
        }
        let Some((layer, part)) = receiver.and_then(|outer| layer_of(view, outer, object)) else {
            beyond = Some(frame);
            break;
        };
        object = receiver.unwrap_or(object);
        found = Some((
            layer,
            Step {
                object,
                part,
                frame,
            },
        ));
    }
    let (kind, address, said) = match (found, beyond) {
        (Some((layer, step)), Some(frame)) if layer.kind == Kind::Event => {
            futures::of_several(view, frame, step.object)
                .unwrap_or_else(|| (layer.kind, object, (layer.say)(view, &step)))
        }
        (Some((layer, step)), _) => (layer.kind, object, (layer.say)(view, &step)),
        (None, _) => {
            let evidence = "it is in Condition.wait".into();
            (
                Kind::Condition,
                object,
                Said {
                    owner: None,
                    evidence,
                },
            )
        }
    };
    let notified = || Owner::unknown("it has been notified, and goes on as soon as it runs");
    Some(Found {
        kind,
        address,
        owner: wait.notified.then(notified).or(said.owner),
        timed: wait.timed,
        evidence: said.evidence.into(),
    })
}

/// The layer by which `outer` is made of `inner`, and the attribute that says so.
fn layer_of(view: &View<'_>, outer: Addr, inner: Addr) -> Option<(&'static Layer, &'static str)> {
    LAYERS.iter().copied().flatten().find_map(|layer| {
        if !view.is_instance(outer, layer.classes) {
            return None;
        }
        let mut parts = layer.parts.iter();
        let part = parts.find(|part| view.attribute(outer, &[part]) == Some(inner))?;
        Some((layer, *part))
    })
}

/// Whether a thread is asleep in `Condition.wait`: not while it takes the condition's own lock
/// again, nor in a signal handler on top of the wait.
pub(super) fn condition_wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<ConditionWait> {
    let frame = waiter.frames(view).first()?;
    if &*frame.function != "wait" || library(&frame.file) != Some("threading") {
        return None;
    }
    let condition = view.receiver(frame)?;
    if !view.is_instance(condition, python_lock::CONDITION) {
        return None;
    }
    let own = view.py_lock(view.local(frame, "waiter")?)?;
    let timed = match waiter.lock(view) {
        Some((lock, _)) if lock.addr == own.addr => waiter.timed(),
        // Where locks know no timeouts (2.7), it tries again and again.
        None if polls(waiter) && view.local(frame, "delay").is_some() => true,
        _ => return None,
    };
    Some(ConditionWait {
        condition,
        notified: !own.locked,
        timed,
    })
}

/// Whether a thread is in `time.sleep`, as 2.7 has it: `select` on no files.
fn polls(waiter: &Waiter<'_>) -> bool {
    #[cfg(target_arch = "x86_64")]
    const CALLS: &[i64] = &[libc::SYS_select, libc::SYS_pselect6];
    #[cfg(not(target_arch = "x86_64"))]
    const CALLS: &[i64] = &[libc::SYS_pselect6];
    let call = waiter.thread.syscall.as_ref();
    call.is_some_and(|call| CALLS.contains(&call.number) && call.args.first() == Some(&0))
}

/// Says that the wait is over but for the waking up.
pub(super) fn over(what: &str) -> Option<Owner> {
    Some(Owner::unknown(format!(
        "{what}, and the thread goes on as soon as it runs"
    )))
}

fn event(view: &View<'_>, step: &Step<'_>) -> Said {
    let is_set = view.number(step.object, &["_flag", "_Event__flag"]);
    Said {
        owner: match is_set {
            Some(0) | None => None,
            Some(_) => over("the event is set already"),
        },
        evidence: "it is in Event.wait".into(),
    }
}

fn semaphore(view: &View<'_>, step: &Step<'_>) -> Said {
    let value = view.number(step.object, &["_value", "_Semaphore__value"]);
    Said {
        owner: match value {
            Some(1..) => over("the semaphore has been released"),
            _ => None,
        },
        evidence: "it is in Semaphore.acquire".into(),
    }
}

fn barrier(view: &View<'_>, step: &Step<'_>) -> Said {
    const FILLING: i128 = 0;
    let number = |name| view.number(step.object, &[name]);
    let filling = number("_state") == Some(FILLING);
    Said {
        owner: match filling {
            true => None,
            false => Some(Owner::unknown(
                "the barrier does not wait for more threads, but lets those go that came",
            )),
        },
        evidence: match (number("_count"), number("_parties")) {
            (Some(count), Some(parties)) if filling => {
                format!("it is in Barrier.wait; {count} of {parties} threads are there")
            }
            _ => "it is in Barrier.wait".into(),
        },
    }
}
