//! `heap` and `objects` against what a process knows of its own objects.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list};
use serde_json::Value;

/// The documents of several commands of one run.
struct Answers<'a>(&'a dyn Fn(&[&str]) -> Pydbg);

impl Answers<'_> {
    /// The data of one command.
    fn one(&self, command: &str) -> Result<Value, String> {
        Ok((self.0)(&[command]).document(command)?["data"].clone())
    }
}

/// The row of a kind: its number, and the row.
fn row<'r>(partition: &'r Value, name: &str) -> Result<(usize, &'r Value), String> {
    let rows = list(&partition["rows"]).iter().enumerate();
    let mut found = rows.filter(|(_, row)| row["name"] == name);
    found.next().ok_or_else(|| format!("no row {name}"))
}

fn same(what: &str, found: &Value, truth: &Value) -> Result<(), String> {
    match found == truth {
        true => Ok(()),
        false => Err(format!("{what}: {found}, truth {truth}")),
    }
}

/// Every kind of the fixture's own classes has its count and bytes, and each partition adds up.
fn kinds(expect: &Value, answers: &Answers<'_>) -> Result<(), String> {
    let heap = answers.one("heap")?;
    for (name, truth) in expect["kinds"].as_object().ok_or("no kinds")? {
        let (_, row) = row(&heap, name)?;
        same(name, &row["count"], &truth[0])?;
        same(name, &row["bytes"], &truth[1])?;
    }
    let sum = |partition: &Value, of: &str| -> u64 {
        let rows = list(&partition["rows"]).iter();
        rows.filter_map(|row| row[of].as_u64()).sum()
    };
    let keys = [
        "heap --by type",
        "heap --by module",
        "heap --by size",
        "heap --by owner",
        "heap --by interpreter",
        "heap --by generation",
        "heap --by alloc",
    ];
    let run = (answers.0)(&keys);
    for key in keys {
        let partition = &run.document(key)?["data"];
        for of in ["count", "bytes"] {
            same(key, &partition[of], &heap[of])?;
            same(key, &sum(partition, of).into(), &heap[of])?;
        }
    }
    Ok(())
}

/// Rows are drilled into: their objects are listed, and put into groups again.
fn rows(expect: &Value, answers: &Answers<'_>) -> Result<(), String> {
    let heap = answers.one("heap")?;
    for (name, owner) in expect["held"].as_object().ok_or("nothing held")? {
        let (number, _) = row(&heap, name)?;
        let truth = &expect["kinds"][name];
        let by_owner = format!("heap {number} --by owner");
        let (listed, sizes) = (
            format!("heap {number} -n 3"),
            format!("heap {number} --by size"),
        );
        let run = (answers.0)(&["heap", &listed, "heap --more", &sizes, "heap", &by_owner]);
        let objects = &run.document(&listed)?["data"];
        same(&listed, &objects["count"], &truth[0])?;
        same(&listed, &objects["bytes"], &truth[1])?;
        same(
            &listed,
            &objects["within"],
            &Value::from(vec![name.clone()]),
        )?;
        let first = list(&objects["objects"]);
        if first.len() != 3 || first.iter().any(|object| object["type"] != **name) {
            return Err(format!("{listed}: {first:?}"));
        }
        let more = &run.document("heap --more")?["data"];
        same("the next row", &more["objects"][0]["index"], &3.into())?;
        let sizes = &run.document(&sizes)?["data"];
        same("one size", &sizes["rows_in_all"], &1.into())?;
        let owners = list(&run.document(&by_owner)?["data"]["rows"]).to_vec();
        let words = |row: &Value| row["name"].as_str().unwrap_or("").to_owned();
        match owners.as_slice() {
            [row] if words(row).starts_with(owner.as_str().unwrap_or("?")) => {}
            other => return Err(format!("owners of {name}: {other:?}")),
        }
    }
    Ok(())
}

/// Instances are found by conditions.
fn instances(expect: &Value, answers: &Answers<'_>) -> Result<(), String> {
    let count = |kind: &str| expect["kinds"][kind][0].as_u64().unwrap_or(0);
    let both = count("__main__.Plain") + count("__main__.Child");
    let ask = [
        "objects dict --where 'len(self) >= 20000'",
        "objects Plain --subclasses -n 1 --sort refs",
        "objects Plain --where 'self.number % 100 == 0' --sort retained",
        "objects __main__.Slotted --where 'self.other >= 0'",
        "objects '__main__.*lotted' -n 0",
    ];
    let run = (answers.0)(&ask);
    let documents: Vec<Value> = ask
        .iter()
        .map(|command| run.document(command))
        .collect::<Result<_, _>>()?;
    let data = |at: usize| &documents[at]["data"];
    let large = &data(0)["objects"][0];
    let address = expect["large"][0].as_u64().unwrap_or(0);
    same("count of large", &data(0)["count"], &1.into())?;
    same("large", &large["address"], &format!("{address:#x}").into())?;
    same("size of large", &large["size"], &expect["large"][1])?;
    same("with subclasses", &data(1)["count"], &both.into())?;
    same("shown", &list(&data(1)["objects"]).len().into(), &1.into())?;
    same("by number", &data(2)["count"], &7.into())?;
    let retained = data(2)["objects"][0]["retained"].as_u64();
    let size = data(2)["objects"][0]["size"].as_u64();
    if retained <= size {
        return Err(format!("retained {retained:?} of {size:?}"));
    }
    same("with another", &data(3)["count"], &300.into())?;
    same("without another", &data(3)["where"]["failed"], &600.into())?;
    let note = documents[3]["notes"][0]["text"].as_str().unwrap_or("");
    if !note.starts_with("left out 600 objects") {
        return Err(format!("the note: {note:?}"));
    }
    same("all", &data(4)["count"], &count("__main__.Slotted").into())?;
    same(
        "all shown",
        &list(&data(4)["objects"]).len().into(),
        &data(4)["count"],
    )?;
    let unknown = (answers.0)(&["objects Plian"]);
    match unknown.document("objects Plian") {
        Err(error) if error.contains("Did you mean: 'Plain'?") => Ok(()),
        other => Err(format!("a wrong name: {other:?}")),
    }
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "heap_kinds", &[]);
    let expect = fixture.truth.expect.clone();
    let id = &interpreter.id;
    let pid = fixture.pid().to_string();
    let live = |commands: &[&str]| Pydbg::run(&["attach", &pid, "--json", "-q"], commands);
    let answers = Answers(&live);
    failures.check(&format!("{id} kinds"), kinds(&expect, &answers));
    failures.check(&format!("{id} rows"), rows(&expect, &answers));
    failures.check(&format!("{id} instances"), instances(&expect, &answers));
    let core = fixture.kernel_core();
    let core = core.to_str().expect("UTF-8");
    let args = [&["core", core, "--json", "-q"], &interpreter.sysroot()[..]].concat();
    let dead = |commands: &[&str]| Pydbg::run(&args, commands);
    let answers = Answers(&dead);
    failures.check(&format!("{id} kinds in a core"), kinds(&expect, &answers));
}

#[test]
fn kinds_rows_and_instances_are_the_processes_own() {
    Failures::together(interpreters(), check).finish();
}

#[test]
fn the_table_is_guppys() {
    let interpreter = interpreters().first().expect("an interpreter");
    let fixture = Fixture::start(interpreter, "heap_kinds", &[]);
    let pid = fixture.pid().to_string();
    let run = Pydbg::run(&["attach", &pid, "-q"], &["heap -n 2", "heap --more -n 1"]);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let header = " Index  Count   %     Size   % Cumulative  % Kind (class / dict of class)";
    assert!(lines[0].starts_with("Partition of a set of "), "{text}");
    assert!(lines[0].contains(" objects. Total size = "), "{text}");
    assert!(lines[0].ends_with(" bytes."), "{text}");
    assert_eq!(lines[1], header);
    assert!(lines[2].starts_with("     0 "), "{text}");
    assert_eq!(lines[2].as_bytes().get(44), Some(&b' '), "{text}");
    assert!(lines[4].ends_with(" more rows. Type \"heap --more\" to see them.>"));
    assert_eq!(lines[5], header);
    assert!(lines[6].starts_with("     2 "), "{text}");
}
