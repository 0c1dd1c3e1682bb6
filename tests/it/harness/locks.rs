//! Holds the answers of `locks` against what fixtures expect. Such a fixture has shapes, which its
//! first argument chooses, and writes down with `expect`, always by the names of threads:
//!
//! * `deadlocks`: the threads of each; `lines`: where each of them waits, and where it took its lock.
//! * `locks`: for each lock by its name the owner, or null, and the waiters.
//! * `waits`: for each thread the kind of what it waits for, and the owner of that, or null, or a list
//!   of those who could end the wait; then whether it is timed, where that matters.
//! * `orphaned`, `lost`: kind and waiters of each lock that nobody can release, of each wait that
//!   nobody is left to end. What is not written down must not be said.
//! * `busy`: kind, owner and words of what the owner is doing.
//! * `live`: an object of the same keys, which count instead of those above for the live process;
//!   `stripped`: the same for an interpreter without symbols.
//! * `native`: kernel ids by the names of threads that Python does not know; a core has no names of theirs.

use super::list;
pub(crate) use super::shapes::{Cores, check, check_all};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The names of threads by gdb number.
fn names(expect: &Value, data: &Value) -> BTreeMap<u64, String> {
    let empty = serde_json::Map::new();
    let native = expect["native"].as_object().unwrap_or(&empty);
    let name = |thread: &Value| {
        let native = native.iter().find(|(_, tid)| **tid == thread["tid"]);
        if let Some((name, _)) = native {
            return Some((thread["id"].as_u64()?, name.clone()));
        }
        // A thread that Python does not know has the name the program gave it in the kernel.
        let name = thread["name"].as_str().or(thread["os_name"].as_str());
        Some((thread["id"].as_u64()?, name?.to_owned()))
    };
    list(&data["threads"]).iter().filter_map(name).collect()
}

/// Holds the answer of `locks` against what the fixture expects (see the top of this file). Where a core `lacks` the stacks of
/// threads, waits and owners may be missing; what is said must still be true.
pub(crate) fn compare(expect: &Value, locks: &Value, lacks: bool) -> Result<(), String> {
    let data = &locks["data"];
    let names = names(expect, data);
    let named = |id: &Value| names.get(&id.as_u64()?).cloned();
    let thread_of = |at: &Value| named(&data["waits"][at.as_u64()? as usize]["thread"]);
    let found: BTreeSet<BTreeSet<String>> = list(&data["deadlocks"])
        .iter()
        .map(|cycle| list(&cycle["waits"]).iter().filter_map(thread_of).collect())
        .collect();
    let text = |name: &Value| name.as_str().map(str::to_owned);
    let expected: BTreeSet<BTreeSet<String>> = list(&expect["deadlocks"])
        .iter()
        .map(|cycle| list(cycle).iter().filter_map(text).collect())
        .collect();
    if found != expected && !(lacks && found.is_subset(&expected)) {
        return Err(format!("deadlocks {found:?}, truth {expected:?}"));
    }
    // Every thread of such a cycle is on the same two lines.
    let [waits, took] = list(&expect["lines"]) else {
        return compare_rest(expect, data, &named, lacks);
    };
    for at in list(&data["deadlocks"])
        .iter()
        .flat_map(|cycle| list(&cycle["waits"]))
    {
        let wait = &data["waits"][at.as_u64().unwrap_or(0) as usize];
        let lock = &data["all"][wait["lock"].as_u64().unwrap_or(0) as usize];
        let lines = (&wait["place"]["line"], &lock["owner"]["place"]["line"]);
        if lines != (waits, took) {
            return Err(format!("lines {lines:?}, truth {waits} and {took}"));
        }
    }
    compare_rest(expect, data, &named, lacks)
}

/// Whether pydbg says that it does not know the owner.
fn is_unknown(owner: &Value) -> bool {
    owner["certainty"] == "unknown"
}

/// Everything but the deadlocks.
fn compare_rest(
    expect: &Value,
    data: &Value,
    named: &dyn Fn(&Value) -> Option<String>,
    lacks: bool,
) -> Result<(), String> {
    compare_locks(expect, data, named, lacks)?;
    compare_waits(expect, data, named, lacks)?;
    let orphaned = list(&data["orphaned"]).iter();
    compare_verdicts(&expect["orphaned"], orphaned, data, named, lacks)
        .map_err(|why| format!("orphaned: {why}"))?;
    let lost = list(&data["lost"]).iter();
    let lost = lost.map(|lost| &lost["lock"]);
    compare_verdicts(&expect["lost"], lost, data, named, lacks)
        .map_err(|why| format!("lost wakeups: {why}"))?;
    compare_busy(expect, data, named, lacks)
}

/// A kind of lock and the names of the threads that wait for it.
type Verdict = (String, BTreeSet<String>);

/// Holds locks of which something is said against the truth: none is missing, none invented.
fn compare_verdicts<'v>(
    expect: &Value,
    found: impl Iterator<Item = &'v Value>,
    data: &Value,
    named: &dyn Fn(&Value) -> Option<String>,
    lacks: bool,
) -> Result<(), String> {
    let found: BTreeSet<Verdict> = found
        .map(|at| {
            let lock = &data["all"][at.as_u64().unwrap_or(u64::MAX) as usize];
            let waiters = list(&lock["waiters"]).iter().filter_map(named).collect();
            (
                lock["kind"].as_str().unwrap_or_default().to_owned(),
                waiters,
            )
        })
        .collect();
    let text = |name: &Value| name.as_str().map(str::to_owned);
    let expected: BTreeSet<Verdict> = list(expect)
        .iter()
        .map(|verdict| {
            let waiters = list(&verdict[1]).iter().filter_map(text).collect();
            (text(&verdict[0]).unwrap_or_default(), waiters)
        })
        .collect();
    match found == expected || (lacks && found.is_subset(&expected)) {
        true => Ok(()),
        false => Err(format!("{found:?}, truth {expected:?}")),
    }
}

/// Holds what each thread waits for against the truth: the kind, and the owner where it has one.
fn compare_waits(
    expect: &Value,
    data: &Value,
    named: &dyn Fn(&Value) -> Option<String>,
    lacks: bool,
) -> Result<(), String> {
    let empty = serde_json::Map::new();
    for (thread, expected) in expect["waits"].as_object().unwrap_or(&empty) {
        let mut waits = list(&data["waits"]).iter();
        let wait = waits.find(|wait| named(&wait["thread"]).as_ref() == Some(thread));
        let Some(wait) = wait else {
            match lacks {
                true => continue,
                false => return Err(format!("{thread:?} is not said to wait")),
            }
        };
        let lock = &data["all"][wait["lock"].as_u64().unwrap_or(u64::MAX) as usize];
        if lacks && lock["kind"] == expected[0] && is_unknown(&lock["owner"]) {
            continue;
        }
        let found = (&lock["kind"], named(&lock["owner"]["thread"]));
        let owner = expected[1].as_str().map(str::to_owned);
        let timed = expected[2].as_bool();
        if found != (&expected[0], owner) || timed.is_some_and(|timed| wait["timed"] != timed) {
            return Err(format!("{thread:?} waits for {lock}, truth {expected}"));
        }
        if let Some(any) = expected[1].as_array() {
            let threads = list(&lock["owner"]["threads"]).iter().filter_map(named);
            let threads: BTreeSet<String> = threads.collect();
            let truth = any.iter().filter_map(Value::as_str).map(str::to_owned);
            if lock["owner"]["certainty"] != "any-of" || threads != truth.collect() {
                return Err(format!("{thread:?} waits for {lock}, truth {expected}"));
            }
        }
    }
    Ok(())
}

/// Holds what owners are busy with against the truth, as far as that says anything of them.
fn compare_busy(
    expect: &Value,
    data: &Value,
    named: &dyn Fn(&Value) -> Option<String>,
    lacks: bool,
) -> Result<(), String> {
    for expected in list(&expect["busy"]) {
        let is_it = |busy: &&Value| {
            let lock = &data["all"][busy["lock"].as_u64().unwrap_or(u64::MAX) as usize];
            let words = expected[2].as_str().unwrap_or_default();
            lock["kind"] == expected[0]
                && named(&busy["owner"]).as_deref() == expected[1].as_str()
                && (busy["doing"]["text"].as_str()).is_some_and(|text| text.contains(words))
        };
        if !lacks && !list(&data["busy"]).iter().any(|busy| is_it(&busy)) {
            return Err(format!("busy owners {}, truth {expected}", data["busy"]));
        }
    }
    Ok(())
}

/// Holds the owners and waiters of the locks with a name against what the fixture expects.
fn compare_locks(
    expect: &Value,
    data: &Value,
    named: &dyn Fn(&Value) -> Option<String>,
    lacks: bool,
) -> Result<(), String> {
    let text = |name: &Value| name.as_str().map(str::to_owned);
    let empty = serde_json::Map::new();
    let truth = expect["locks"].as_object().unwrap_or(&empty);
    let mut seen = BTreeSet::new();
    for lock in list(&data["all"]) {
        let name = lock["name"].as_str().unwrap_or_default();
        let Some(expected) = truth.get(name) else {
            continue;
        };
        seen.insert(name.to_owned());
        let owner = named(&lock["owner"]["thread"]);
        if owner != text(&expected[0]) && !(lacks && is_unknown(&lock["owner"])) {
            return Err(format!("{name}: owner {owner:?}, truth {}", expected[0]));
        }
        let waiters: BTreeSet<String> = list(&lock["waiters"]).iter().filter_map(named).collect();
        let awaited: BTreeSet<String> = list(&expected[1]).iter().filter_map(text).collect();
        if waiters != awaited && !(lacks && waiters.is_subset(&awaited)) {
            return Err(format!("{name}: waiters {waiters:?}, truth {awaited:?}"));
        }
    }
    // A lock that nobody holds and nobody waits for need not be listed.
    let idle = |expected: &Value| expected[0].is_null() && list(&expected[1]).is_empty();
    let missing = (truth.iter().filter(|_| !lacks))
        .find(|(name, expected)| !seen.contains(*name) && !idle(expected));
    missing.map_or(Ok(()), |(name, _)| Err(format!("{name} is not listed")))
}
