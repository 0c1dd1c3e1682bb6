//! Waits for queues (Lib/queue.py): `Queue` and its subclasses, which are made of conditions,
//! `SimpleQueue` written in C (Modules/_queuemodule.c) and its stand-in written in Python.

use super::parking::{self, Parked};
use super::threading::{Layer, Said, Step, over};
use super::view::{Found, Waiter};
use super::{Kind, View};
use crate::addr::Addr;

/// How many Python frames are looked into for the queue that a thread waits for: the innermost
/// one called the queue's method.
const FRAMES: usize = 1;

pub(super) const LAYERS: &[Layer] = &[
    Layer {
        kind: Kind::Queue,
        classes: &["queue.Queue", "Queue.Queue"],
        parts: &["not_empty", "not_full", "all_tasks_done"],
        say: queue,
    },
    Layer {
        kind: Kind::SimpleQueue,
        classes: &["queue._PySimpleQueue"],
        parts: &["_count"],
        say: python_simple_queue,
    },
];

fn queue(view: &View<'_>, step: &Step<'_>) -> Said {
    let number = |name| view.number(step.object, &[name]);
    let length = || {
        view.python
            .objects
            .len(view.attribute(step.object, &["queue"])?)
            .ok()
    };
    let (owner, until) = match step.part {
        "not_empty" => {
            let filled = length().is_some_and(|length| length > 0);
            let owner = filled.then(|| over("the queue has an item")).flatten();
            (owner, "there is an item")
        }
        "not_full" => {
            let room = length().zip(number("maxsize"));
            let room = room.is_some_and(|(length, most)| i128::from(length) < most);
            let owner = room.then(|| over("the queue has room")).flatten();
            (owner, "there is room")
        }
        _ => {
            let done = number("unfinished_tasks") == Some(0);
            let owner = done.then(|| over("all items are worked off")).flatten();
            (owner, "all items are worked off")
        }
    };
    Said {
        owner,
        evidence: format!("it is in Queue.{}, until {until}", step.frame.function),
    }
}

fn python_simple_queue(view: &View<'_>, step: &Step<'_>) -> Said {
    simple(items(view, step.object, 1))
}

/// What is said of a thread that waits for an item of a `SimpleQueue`.
fn simple(items: Option<Vec<Addr>>) -> Said {
    let filled = items.is_some_and(|items| !items.is_empty());
    Said {
        owner: filled.then(|| over("the queue has an item")).flatten(),
        evidence: "it is in SimpleQueue.get, until there is an item".into(),
    }
}

/// The `SimpleQueue` written in C whose lock, or whose flag in the parking lot, the thread sleeps
/// on.
pub(super) fn wait(view: &View<'_>, waiter: &Waiter<'_>) -> Option<Found> {
    let futex = waiter.futex.as_ref()?;
    let place = match parking::entry(view, waiter.thread, futex) {
        Parked::No => futex.addr,
        Parked::On(addr) => addr,
        Parked::Lost => return None,
    };
    let frames = waiter.frames(view).iter().take(FRAMES);
    let values = frames.flat_map(|frame| view.values(frame));
    let mut near = values.flat_map(|value| [Some(value), view.iterated(value)]);
    let is_it = |queue: &Addr| {
        SimpleQueue::of(view, *queue).is_some_and(|simple| simple.sleeps_at(view) == Some(place))
    };
    let queue = near.find_map(|value| value.filter(is_it))?;
    let said = simple(items(view, queue, 1));
    Some(Found {
        kind: Kind::SimpleQueue,
        address: queue,
        owner: said.owner,
        timed: waiter.timed(),
        evidence: said.evidence.into(),
    })
}

/// A `SimpleQueue` written in C.
enum SimpleQueue {
    /// A list of items with a lock that is taken while it is empty (up to 3.12): the lock, a flag,
    /// the list, the index of the first item.
    Locked(Addr),
    /// A ring of items (3.13 and later): the flag that threads wait, the indices to put and get,
    /// the items, their room, their number.
    Ring(Addr),
}

impl SimpleQueue {
    /// The object at `addr` as a queue, if it is one; its size tells the form.
    fn of(view: &View<'_>, addr: Addr) -> Option<SimpleQueue> {
        const LOCKED: i64 = 40;
        const RING: i64 = 56;
        let objects = &view.python.objects;
        let ty = objects.type_of(addr).ok()?;
        let c_queue = |name: &str| objects.is_a(&ty, name);
        if !c_queue("_queue.SimpleQueue") {
            return None;
        }
        let classes = objects.mro(&ty);
        let class = classes
            .iter()
            .find(|class| *objects.full_name(class) == *"_queue.SimpleQueue")?;
        let body = objects.after(addr, 0);
        let header = body.0.wrapping_sub(addr.0);
        match class.basicsize.wrapping_sub(i64::try_from(header).ok()?) {
            LOCKED => Some(SimpleQueue::Locked(body)),
            RING => Some(SimpleQueue::Ring(body)),
            _ => None,
        }
    }

    /// Where a thread sleeps that waits for an item.
    fn sleeps_at(&self, view: &View<'_>) -> Option<Addr> {
        let memory = &view.python.objects.memory;
        match self {
            SimpleQueue::Locked(body) => memory.ptr(*body).ok(),
            SimpleQueue::Ring(body) => (memory.u8(*body) == Ok(1)).then_some(*body),
        }
    }

    fn items(&self, view: &View<'_>, most: usize) -> Option<Vec<Addr>> {
        let objects = &view.python.objects;
        let word = |at: Addr| objects.memory.u64(at).ok();
        match self {
            SimpleQueue::Locked(body) => {
                let first = usize::try_from(word(body.add(24))?).ok()?;
                let list = Addr(word(body.add(16))?);
                let items = objects.list_items(list, first.checked_add(most)?).ok()?;
                Some(items.get(first..).unwrap_or_default().to_vec())
            }
            SimpleQueue::Ring(body) => {
                let (first, items) = (word(body.add(16))?, Addr(word(body.add(24))?));
                let (room, number) = (word(body.add(32))?, word(body.add(40))?);
                if number > room || (first >= room && number > 0) {
                    return None;
                }
                let number = number.min(most as u64);
                let ahead = number.min(room.wrapping_sub(first));
                let at = items.0.checked_add(first.checked_mul(8)?)?;
                let mut all = objects.pointers(Addr(at), ahead as usize).ok()?;
                all.extend(objects.pointers(items, (number - ahead) as usize).ok()?);
                Some(all)
            }
        }
    }
}

/// The items of a queue of any kind, at most `most` of them.
pub(super) fn items(view: &View<'_>, queue: Addr, most: usize) -> Option<Vec<Addr>> {
    if let Some(simple) = SimpleQueue::of(view, queue) {
        return simple.items(view, most);
    }
    let objects = &view.python.objects;
    let inner = view.attribute(queue, &["queue", "_queue"])?;
    objects.items(inner, most).ok()
}

impl View<'_> {
    /// What `iter(function, sentinel)` calls, as far as that is bound to an object.
    fn iterated(&self, iterator: Addr) -> Option<Addr> {
        // calliterobject { it_callable, it_sentinel }
        let objects = &self.python.objects;
        let ty = objects.type_of(iterator).ok()?;
        let names = ["callable_iterator", "callable-iterator"];
        if ty.is_heap() || !names.contains(&ty.name.as_deref()?) {
            return None;
        }
        let callable = objects.memory.ptr(objects.after(iterator, 0)).ok()?;
        objects.bound_to(callable)
    }
}
