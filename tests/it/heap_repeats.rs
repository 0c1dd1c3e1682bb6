//! Equal values and the room in containers, against the process itself.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use crate::heap_paths::heap;
use pydbg::heap::{Heap, TypeMatch};
use serde_json::{Value, json};

/// Values that are told; more than the fixture repeats, which are the largest.
const MOST: usize = 40;

/// Code objects that only seem to refer to a string.
const MOST_STALE: u64 = 20;

fn values(heap: &Heap, truth: &[Value]) -> Result<(), String> {
    let found = heap.duplicates(None, MOST).map_err(|e| e.to_string())?;
    let unread: u64 = found.types.iter().map(|row| row.unread).sum();
    if unread > 0 || found.values.iter().any(|value| value.holders.is_empty()) {
        return Err(format!("{unread} not read; {:?}", found.types));
    }
    for row in truth {
        let same = found.values.iter();
        let mut same = same.filter(|value| row["address"] == value.object.address.0);
        let Some(value) = same.next() else {
            return Err(format!("{row} is not found"));
        };
        let list = value.holders.iter().find(|holder| holder.name == "list");
        let owner = value.owners.first();
        let told = json!({
            "name": row["name"], "type": value.object.class, "count": value.count,
            "address": value.object.address.0, "bytes": value.bytes, "wasted": value.wasted,
        });
        // A word that code objects never set may be an old reference.
        let others = value.holders.iter().filter(|other| other.name != "list");
        let stale = others.map(|other| match &*other.name {
            "code" => other.count,
            _ => u64::MAX / 2,
        });
        let held = list.is_some_and(|list| list.count == 1) && stale.sum::<u64>() < MOST_STALE;
        let owned = owner.is_some_and(|owner| owner.name.contains("app"));
        if told != *row || !held || !owned {
            return Err(format!(
                "{told}, truth {row}; {:?} {owner:?}",
                value.holders
            ));
        }
    }
    Ok(())
}

fn containers(heap: &Heap, truth: &[Value]) -> Result<(), String> {
    let TypeMatch::Found(types) = heap.types_named("__main__.*") else {
        return Err("no types".to_owned());
    };
    let found = heap
        .collections(Some(&types), MOST)
        .map_err(|e| e.to_string())?;
    for row in truth {
        let kind = found.kinds.iter().find(|kind| row["type"] == *kind.name);
        let told = kind.map(|kind| json!([kind.count, kind.fill, kind.unused, kind.bytes]));
        let wanted = json!([row["count"], row["fill"], row["unused"], row["bytes"]]);
        let held = kind.and_then(|kind| kind.holders.first());
        let is_held = held.is_some_and(|held| held.name == "list" && row["count"] == held.count);
        let mut largest = found.largest.iter();
        let largest = largest.find(|one| row["type"] == *one.object.class);
        let is_largest = largest.is_some_and(|one| {
            let at = json!(one.object.address.0);
            let path = one.path.as_ref();
            row["largest"] == one.unused
                && list(&row["at"]).contains(&at)
                && path.is_some_and(|path| path.starts_with("sys.modules['app'].filled["))
        });
        if told != Some(wanted) || !is_largest || !is_held {
            return Err(format!("{told:?}, truth {row}; {largest:?} {held:?}"));
        }
    }
    match found.broken {
        0 => Ok(()),
        broken => Err(format!("{broken} are broken")),
    }
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "repeats", &[]);
    let heap = heap(&fixture);
    let expect = &fixture.truth.expect;
    failures.check(&interpreter.id, values(&heap, list(&expect["values"])));
    let found = containers(&heap, list(&expect["containers"]));
    failures.check(&interpreter.id, found);
}

#[test]
fn equal_values_and_room_are_those_of_the_process() {
    Failures::together(interpreters(), check).finish();
}

/// The commands, in words and in JSON, on a core.
#[test]
fn commands_tell_waste() {
    let Some(interpreter) = interpreters().last() else {
        return;
    };
    let mut fixture = Fixture::start(interpreter, "repeats", &[]);
    let core = fixture.kernel_core();
    let path = core.to_string_lossy();
    let lines = [
        "dups -n 20",
        "dups --type float -n 1",
        "dups --type dict",
        "collections --type List",
        "collections -n 2",
    ];
    let run = Pydbg::run(&["core", &path, "-q"], &lines);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&run.stderr).into_owned();
    for wanted in [
        "would be saved by one object for each value.\n",
        "in list (1)\n",
        "7.25e+100\n",
        "more values left out, which waste",
        "sys.modules['app'].filled[",
        "more kinds left out; see -n",
    ] {
        assert!(
            said.contains(wanted),
            "{wanted} is not in {said}{complaint}"
        );
    }
    let wanted = "The values of \"dict\" are not compared";
    assert!(complaint.contains(wanted), "{complaint}");
    let document = Pydbg::core(&core, &[], "collections --type __main__.Set").expect("JSON");
    assert_eq!(document["data"]["kinds"][0]["name"], "__main__.Set");
}
