//! What must be left after a damage: every frame whose own bytes, and whose path of links from
//! the thread state, are whole. How the thread state is found does not count: there is always
//! more than one way to it.

use super::damage::Damage;
use super::run::Run;
use super::victim::{Thread, Victim, address, shown};
use serde_json::Value;
use std::collections::HashMap;

/// How many frames of the undamaged core were still there.
pub(super) struct Kept {
    pub(super) kept: usize,
    pub(super) total: usize,
}

/// Holds the answer of `py-bt all` in JSON against what the damage leaves.
pub(super) fn judge(victim: &Victim, damage: &Damage, run: &Run) -> Result<Kept, String> {
    let document = run.document("py-bt all");
    let threads = document
        .as_ref()
        .and_then(|d| d["data"]["threads"].as_array());
    let mut printed = HashMap::new();
    let mut doubtful = HashMap::new();
    for frame in threads
        .into_iter()
        .flatten()
        .flat_map(|t| t["frames"].as_array())
        .flatten()
    {
        printed.insert(address(&frame["address"]), shown(frame));
        doubtful.insert(address(&frame["address"]), !frame["problem"].is_null());
    }
    let mut missing = Vec::new();
    let mut kept = 0;
    for thread in &victim.threads {
        let reachable = reachable(victim, damage, thread);
        for frame in &thread.frames {
            let same = printed.get(&frame.addr) == Some(&frame.shown);
            kept += usize::from(same);
            if !same && frame.links <= reachable && is_whole(victim, damage, &frame.made_of) {
                missing.push(format!(
                    "{} at {:#x} {:?}",
                    frame.shown,
                    frame.addr,
                    printed.get(&frame.addr)
                ));
            }
        }
    }
    let total = victim.total();
    let told = run
        .stderr
        .lines()
        .chain(run.stdout.lines().filter(|l| l.contains("\"error\"")));
    let told: String = told.take(3).collect::<Vec<_>>().join(" / ");
    if let Some(first) = missing.first() {
        return Err(format!(
            "{} undamaged frames are missing, such as {first}; kept {kept} of {total}; status {}; {told}",
            missing.len(),
            run.status
        ));
    }
    let known = |thread: &&Value| {
        victim
            .threads
            .iter()
            .any(|t| t.tstate == address(&thread["tstate"]))
    };
    let has_state = |thread: &&Value| !thread["tstate"].is_null();
    let states = threads.into_iter().flatten().filter(has_state);
    let invented = states.filter(|thread| !known(thread)).count();
    if invented > 0 && !(damage.flood && run.status == 3) {
        return Err(format!("{invented} thread states are invented"));
    }
    let known = |addr: &u64| {
        victim
            .threads
            .iter()
            .flat_map(|t| &t.frames)
            .any(|f| f.addr == *addr)
    };
    let invented = printed
        .keys()
        .filter(|addr| !known(addr) && !doubtful[addr])
        .count();
    // Where one byte in two hundred is wrong, what looks like a frame in every way may be none.
    if invented > 0 && !(damage.flood && run.status == 3) {
        return Err(format!("{invented} frames are invented"));
    }
    let partial = document.is_some_and(|d| d["notes"].as_array().is_some_and(|n| !n.is_empty()));
    match run.status {
        0 if printed.len() >= total && !doubtful.values().any(|doubt| *doubt) => {
            Ok(Kept { kept, total })
        }
        0 if damage.silent => Ok(Kept { kept, total }),
        3 if partial || !told.is_empty() => Ok(Kept { kept, total }),
        1 | 4 if printed.is_empty() && !told.is_empty() => Ok(Kept { kept, total }),
        status => Err(format!(
            "status {status} with {} of {total} frames; {told}",
            printed.len()
        )),
    }
}

/// How many links of the thread's chain can be followed.
fn reachable(victim: &Victim, damage: &Damage, thread: &Thread) -> usize {
    // Up to 3.10 a frame is an object. One of which neither the type nor the code is left cannot be
    // told from anything else, and what is in the place of its link may be anything.
    let is_object = victim.field("frame", "owner").is_none();
    let faceless = |link: u64| {
        let previous = victim.at("frame", "previous");
        let mut frames = thread.frames.iter();
        let frame = frames.find(|frame| frame.addr + previous == link);
        frame.filter(|_| is_object).is_some_and(|frame| {
            let ty = frame.addr + victim.at("object", "ob_type");
            !is_whole(victim, damage, &[(ty, 8)]) && !is_whole(victim, damage, &frame.made_of)
        })
    };
    let broken = |link: &u64| !is_whole(victim, damage, &[(*link, 8)]) || faceless(*link);
    thread
        .links
        .iter()
        .position(broken)
        .unwrap_or(thread.links.len())
}

/// Whether none of these addresses was damaged. What the core never had cannot be.
fn is_whole(victim: &Victim, damage: &Damage, ranges: &[(u64, u64)]) -> bool {
    ranges.iter().all(|(addr, len)| {
        let place = victim.core.place(*addr);
        place.is_none_or(|at| !damage.touches(&(at..at + *len as usize)))
    })
}
