//! Pictures of the heap, which keep to their bounds and let no name out, and its database, whose rows
//! add up to what `heap` and the process itself say.

use crate::harness::{Failures, Fixture, Interpreter, Pydbg, interpreters, list, top};
use crate::heap_paths::heap;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The files that one run writes.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Result<String, String> {
        fs::read_to_string(self.path(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// A command with a file in the folder.
    fn command(&self, command: &str, name: &str) -> String {
        format!("{command} {}", self.path(name).display())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, truth: T) -> Result<(), String> {
    match found == truth {
        true => Ok(()),
        false => Err(format!("{what}: {found:?}, truth {truth:?}")),
    }
}

/// What is to hold for any picture: nothing of the process is markup, and it is a whole file.
fn harmless(name: &str, svg: &str) -> Result<(), String> {
    let steers = |c: char| c.is_control() && c != '\n';
    if svg.contains("<script") || svg.contains("]]>") || svg.contains(steers) {
        return Err(format!("{name} lets a name out"));
    }
    let whole = svg.starts_with("<svg ") && svg.ends_with("</svg>\n");
    let balanced = svg.matches("<g>").count() == svg.matches("</g>").count();
    match whole && balanced && !svg.contains("NaN") {
        true => Ok(()),
        false => Err(format!("{name} is no whole picture")),
    }
}

/// The pictures around one object, of which the first was drawn twice.
fn around(run: &Pydbg, files: &Files, commands: &[String]) -> Result<(), String> {
    for (name, command) in ["out", "in"].iter().zip(commands) {
        let svg = files.read(&format!("{name}.svg"))?;
        harmless(name, &svg)?;
        if !svg.contains("&lt;script&gt;") || !svg.contains("\\x1b") {
            return Err(format!("{name} does not have the nasty name"));
        }
        let around = &run.document(command)?["data"]["around"];
        let objects = list(&around["objects"]);
        if objects.len() < 4 || objects.len() > 60 {
            return Err(format!("{name} has {} objects", objects.len()));
        }
        for (place, object) in objects.iter().enumerate() {
            let ends = list(&around["references"]).iter();
            let near = if *name == "out" { "from" } else { "to" };
            let own = ends.filter(|end| end[near] == place).count();
            if own > 10 || object["depth"].as_u64() > Some(3) {
                return Err(format!("{name} goes beyond its bounds: {object}"));
            }
        }
        if !svg.contains("more refer") || list(&around["references"]).is_empty() {
            return Err(format!("{name} does not say what is left out"));
        }
    }
    if !files.read("in.svg")?.contains("<ellipse") {
        return Err("no root is shown".to_owned());
    }
    let dot = files.read("out.dot")?;
    let quotes = dot.replace("\\\\", "").replace("\\\"", "");
    same("quotes", quotes.matches('"').count() % 2, 0)?;
    same(
        "the same picture",
        files.read("out.svg")?,
        files.read("again.svg")?,
    )
}

fn treemap(run: &Pydbg, files: &Files, command: &str, heap: &Value) -> Result<(), String> {
    fn adds_up(area: &Value) -> Result<usize, String> {
        let parts = list(&area["parts"]);
        let sum = parts.iter().filter_map(|part| part["bytes"].as_u64()).sum();
        if !parts.is_empty() {
            same("an area", area["bytes"].as_u64(), Some(sum))?;
        }
        let below: Vec<usize> = parts.iter().map(adds_up).collect::<Result<_, _>>()?;
        Ok(below.iter().sum::<usize>() + 1)
    }
    let svg = files.read("map.svg")?;
    harmless("treemap", &svg)?;
    let area = &run.document(command)?["data"]["treemap"];
    same("bytes", &area["bytes"], &heap["bytes"])?;
    let areas = adds_up(area)?;
    match areas > 20 && areas < 5000 && svg.contains("module ") {
        true => same("the same treemap", svg, files.read("map_again.svg")?),
        false => Err(format!("{areas} areas")),
    }
}

/// One number that SQL tells.
fn number(database: &Connection, sql: &str) -> Result<i64, String> {
    let found = database.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    Ok(found
        .map_err(|error| format!("{sql}: {error}"))?
        .unwrap_or(0))
}

/// The examples of the document, each with as many rows as it tells.
fn examples(database: &Connection) -> Result<(), String> {
    let text = fs::read_to_string(top().join("docs/heap-export.md")).expect("a document");
    let examples: Vec<&str> = text.split("```sql\n").skip(1).collect();
    same("examples", examples.len() >= 5, true)?;
    for example in examples {
        let sql = example.split("```").next().unwrap_or_default();
        let rows = || -> rusqlite::Result<usize> {
            let mut statement = database.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut count = 0;
            while rows.next()?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        let rows = rows().map_err(|error| format!("{error}: {sql}"))?;
        if rows == 0 {
            return Err(format!("no rows: {sql}"));
        }
    }
    Ok(())
}

fn rows_of(partition: &Value) -> BTreeMap<String, (i64, i64)> {
    let rows = list(&partition["rows"]).iter();
    rows.map(|row| {
        let name = row["name"].as_str().unwrap_or("?").to_owned();
        let number = |key: &str| row[key].as_i64().unwrap_or(-1);
        (name, (number("count"), number("bytes")))
    })
    .collect()
}

/// The database has what `heap` and `objects` tell.
fn database(path: &Path, run: &Pydbg, fixture: &Fixture) -> Result<(), String> {
    let mode = fs::metadata(path).map_err(|e| e.to_string())?.permissions();
    same("mode", mode.mode() & 0o777, 0o600)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(path, flags).map_err(|e| e.to_string())?;
    let ask = |sql: &str| number(&database, sql);
    let heap = &run.document("heap")?["data"];
    same(
        "objects",
        ask("SELECT count(*) FROM objects")?,
        heap["count"].as_i64().unwrap_or(-1),
    )?;
    same(
        "bytes",
        ask("SELECT sum(size) FROM objects")?,
        heap["bytes"].as_i64().unwrap_or(-1),
    )?;
    same(
        "whole",
        ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")?,
        1,
    )?;
    for nothing in [
        "SELECT count(*) FROM pragma_foreign_key_check",
        // What an object retains is itself with what those below it retain.
        "SELECT count(*) FROM (SELECT above.id FROM objects above LEFT JOIN objects below ON
         below.dominator = above.id GROUP BY above.id HAVING above.retained !=
         above.size + coalesce(sum(below.retained), 0))",
        "SELECT (SELECT sum(retained) FROM objects WHERE dominator IS NULL) -
         (SELECT sum(size) FROM objects)",
        "SELECT count(*) FROM types WHERE instances !=
         (SELECT count(*) FROM objects WHERE type = types.id)",
        // What a reachable object refers to is reachable.
        "SELECT count(*) FROM edges JOIN objects a ON a.id = referrer
         JOIN objects b ON b.id = referent WHERE a.reachable AND NOT b.reachable",
        "SELECT count(*) FROM roots JOIN objects ON id = object WHERE certain AND NOT reachable",
    ] {
        same(nothing, ask(nothing)?, 0)?;
    }
    let mut types = database
        .prepare("SELECT name, sum(instances), sum(bytes) FROM types GROUP BY name")
        .map_err(|e| e.to_string())?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    let types = types.query_map([], row).and_then(Iterator::collect);
    let types: BTreeMap<String, (i64, i64)> = types.map_err(|e| e.to_string())?;
    let told = rows_of(&run.document("heap --by type")?["data"]);
    let nasty = types.iter().find(|(name, _)| name.contains("<script>"));
    let (nasty, (count, _)) = nasty.ok_or("no nasty type")?;
    same(
        "instances",
        Some(*count),
        fixture.truth.expect["instances"].as_i64(),
    )?;
    same(
        "controls in a name",
        nasty.contains(char::is_control),
        false,
    )?;
    // Names with control characters are written out here, and are not in JSON.
    for (name, row) in told.iter().filter(|(name, _)| !name.contains('\u{1b}')) {
        same(name, types.get(name), Some(row))?;
    }
    same("names", types.len(), told.len())?;
    let generations = rows_of(&run.document("heap --by generation")?["data"]);
    let tracked = ask("SELECT count(*) FROM objects WHERE generation IS NOT NULL")?;
    let untracked = generations.get("untracked").map_or(0, |row| row.0);
    same(
        "tracked",
        tracked,
        heap["count"].as_i64().unwrap_or(-1) - untracked,
    )?;
    same(
        "in lists",
        ask("SELECT sum(objects) FROM generations")?,
        tracked,
    )?;
    // The hub refers to its dictionary or to its values; its list to each item once.
    let child = fixture.truth.expect["child"].as_i64().unwrap_or(0);
    let referrers = run.document(&format!("referrers {child:#x} -n 0"))?;
    let sql =
        format!("SELECT count(*) FROM edges JOIN objects ON id = referent WHERE address = {child}");
    let strong = list(&referrers["data"]["all"]).iter();
    let strong = strong.filter(|one| one["weak"] == false).count();
    same("referrers", ask(&sql)?, strong as i64)?;
    examples(&database)
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let fixture = Fixture::start(interpreter, "heap_pictures", &[]);
    let id = &interpreter.id;
    let (pid, expect) = (fixture.pid().to_string(), &fixture.truth.expect);
    let address = |key: &str| expect[key].as_u64().unwrap_or(0);
    let (hub, child) = (address("hub"), address("child"));
    let files = Files {
        folder: tempfile::tempdir().expect("a folder"),
    };
    let around_both = [
        files.command(&format!("referents {hub:#x} --svg"), "out.svg"),
        files.command(&format!("referrers {child:#x} --svg"), "in.svg"),
    ];
    let map = files.command("heap --treemap", "map.svg");
    let export = files.command("heap export", "heap.db");
    let commands = [
        "heap".to_owned(),
        "heap --by type".to_owned(),
        "heap --by generation".to_owned(),
        format!("referrers {child:#x} -n 0"),
        around_both[0].clone(),
        around_both[1].clone(),
        files.command(&format!("referents {hub:#x} --svg"), "again.svg"),
        files.command(&format!("referents {hub:#x} --dot"), "out.dot"),
        map.clone(),
        files.command("heap --treemap", "map_again.svg"),
        export.clone(),
    ];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let run = Pydbg::run(&["attach", &pid, "--json", "-q"], &commands);
    failures.check(&format!("{id} around"), around(&run, &files, &around_both));
    let heap = run
        .document("heap")
        .map(|document| document["data"].clone());
    let drawn = heap.and_then(|heap| treemap(&run, &files, &map, &heap));
    failures.check(&format!("{id} treemap"), drawn);
    let path = files.path("heap.db");
    failures.check(&format!("{id} database"), database(&path, &run, &fixture));
}

#[test]
fn pictures_are_bounded_and_harmless_and_the_database_adds_up() {
    Failures::together(interpreters(), check).finish();
}

#[test]
fn a_database_is_only_written_over_by_force() {
    let interpreter = interpreters().last().expect("an interpreter");
    let fixture = Fixture::start(interpreter, "heap_pictures", &[]);
    let pid = fixture.pid().to_string();
    let files = Files {
        folder: tempfile::tempdir().expect("a folder"),
    };
    let path = files.path("heap.db");
    fs::write(&path, "mine").expect("written");
    let export = files.command("heap export", "heap.db");
    let live = ["attach", &pid, "--json", "-q"];
    let refused = Pydbg::run(&live, &[&export]);
    assert!(refused.document(&export).unwrap_err().contains("--force"));
    assert_eq!(refused.status, Some(1));
    assert_eq!(fs::read(&path).expect("read"), b"mine");
    let nowhere = files.command("heap export", "nowhere/heap.db");
    assert!(Pydbg::run(&live, &[&nowhere]).document(&nowhere).is_err());
    let export = format!("{export} --force");
    let written = Pydbg::run(&live, &[&export]);
    written.document(&export).expect("written");
    assert!(
        fs::read(&path)
            .expect("read")
            .starts_with(b"SQLite format 3\0")
    );
    let left = fs::read_dir(files.folder.path()).expect("a folder").count();
    assert_eq!(left, 1, "no other file is left");
}

#[test]
fn a_database_that_is_interrupted_leaves_no_file() {
    let interpreter = interpreters().first().expect("an interpreter");
    let fixture = Fixture::start(interpreter, "heap_pictures", &[]);
    let heap = heap(&fixture);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("heap.db");
    heap.python.process.cancel.cancel();
    let ended = heap.export(&path, false);
    assert!(
        ended
            .as_ref()
            .is_err_and(|why| why.to_string().starts_with("interrupted")),
        "{ended:?}"
    );
    let left = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "a file is left");
}
