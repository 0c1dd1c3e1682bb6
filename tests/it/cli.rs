//! The command line's promises that need no target: exit statuses, scripts, pipes, JSON, gdb's
//! words for what it does not understand.

use assert_cmd::Command;
use std::fs;
use std::process::Output;

/// Runs pydbg without a start file, away from the user's own settings.
fn pydbg(arguments: &[&str], input: &str) -> Output {
    let home = tempfile::tempdir().expect("a folder");
    Command::cargo_bin("pydbg")
        .expect("pydbg is built")
        .env("HOME", home.path())
        .env_remove("XDG_STATE_HOME")
        .args(arguments)
        .write_stdin(input)
        .output()
        .expect("pydbg runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn exit_statuses_are_as_promised() {
    let status = |arguments: &[&str]| pydbg(arguments, "").status.code();
    assert_eq!(status(&["-batch", "-ex", "help"]), Some(0));
    assert_eq!(status(&["-batch", "-ex", "nosuch", "-ex", "help"]), Some(1));
    assert_eq!(status(&["--nosuch"]), Some(2));
    assert_eq!(status(&["a", "b", "c"]), Some(2));
    assert_eq!(status(&["-batch", "/nonexistent/core"]), Some(4));
    assert_eq!(status(&["-batch", "/dev/null"]), Some(4));
    assert_eq!(status(&["--version"]), Some(0));
    assert_eq!(status(&["--help"]), Some(0));
}

#[test]
fn the_words_are_gdbs() {
    let said = |line: &str| stderr(&pydbg(&["-batch", "-ex", line], ""));
    assert_eq!(
        said("nosuch"),
        "Undefined command: \"nosuch\".  Try \"help\".\n"
    );
    assert_eq!(
        said("i nosuch"),
        "Undefined info command: \"nosuch\".  Try \"help info\".\n"
    );
    assert_eq!(
        said("se 1"),
        "Undefined set command: \"1\".  Try \"help set\".\n"
    );
    assert!(said("s").starts_with("Ambiguous command \"s\": set, shell, show"));
    assert_eq!(said("| help"), "Missing delimiter before SHELL_COMMAND.\n");
    assert_eq!(
        said("set pagination maybe"),
        "\"on\" or \"off\" expected.\n"
    );
    assert_eq!(
        said("py-bt"),
        "no target is open; try \"core FILE\" or \"attach PID\"\n"
    );
    let usage = said("core --nosuch");
    assert_eq!(usage.lines().count(), 2, "{usage}");
}

#[test]
fn answers_are_piped() {
    let piped = |line: &str| stdout(&pydbg(&["-batch", "-ex", line], ""));
    assert_eq!(piped("help | head -1"), "List of classes of commands:\n");
    assert_eq!(piped("| help | head -1"), "List of classes of commands:\n");
    assert_eq!(piped("shell echo a | tr a b"), "b\n");
    assert_eq!(piped("!echo c"), "c\n");
}

#[test]
fn standard_input_is_read_like_a_script() {
    let output = pydbg(&["-q"], "# comment\n\nshow confirm\nquit\nshow width\n");
    assert_eq!(
        stdout(&output),
        "Whether to confirm potentially dangerous operations is off.\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn scripts_end_at_their_first_error_and_may_not_recurse_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("a script");
    fs::write(&script, "show confirm\nnosuch\nshow width\n").expect("written");
    let name = script.to_str().expect("UTF-8");
    let output = pydbg(&["-batch", "-x", name, "-ex", "show listsize"], "");
    assert_eq!(stdout(&output).lines().count(), 2);
    assert!(stderr(&output).starts_with(&format!("{name}:2: Error in sourced command file:")));
    assert_eq!(output.status.code(), Some(1));

    fs::write(&script, format!("source '{name}'\n")).expect("written");
    let output = pydbg(&["-batch", "-x", name], "");
    assert!(stderr(&output).contains("deep"), "{}", stderr(&output));
}

#[test]
fn the_start_file_is_read_unless_told_not_to() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join(".pydbgrc"), "set width 77\n").expect("written");
    let width = |arguments: &[&str]| {
        let output = Command::cargo_bin("pydbg")
            .expect("pydbg is built")
            .env("HOME", home.path())
            .args(arguments)
            .output()
            .expect("pydbg runs");
        stdout(&output)
    };
    assert!(width(&["-batch", "-ex", "show width"]).contains("77"));
    assert!(width(&["-nx", "-batch", "-ex", "show width"]).contains("auto"));
}

#[test]
fn json_is_one_document_a_line() {
    let lines = [
        "-ex",
        "show width",
        "-ex",
        "i thr",
        "-ex",
        "!echo hi",
        "-ex",
        "set width 3",
    ];
    let output = pydbg(&[&["--json", "-batch"], &lines[..]].concat(), "");
    let documents: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document"))
        .collect();
    assert_eq!(documents.len(), 4);
    assert_eq!(documents[0]["data"]["width"], "auto");
    assert_eq!(documents[1]["command"], "info threads");
    assert!(documents[1]["error"].is_string());
    assert_eq!(documents[2]["data"]["output"], "hi\n");
    assert!(
        documents
            .iter()
            .all(|document| document["target"].is_null())
    );
    assert_eq!(output.status.code(), Some(1));

    let output = pydbg(&["--json", "-batch", "/nonexistent/core"], "");
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("a document");
    assert_eq!(document["command"], "core /nonexistent/core");
    assert!(document["error"].is_string());
}

#[test]
fn completion_answers_editors() {
    let completed = |line: &str| stdout(&pydbg(&["-batch", "-ex", line], ""));
    assert_eq!(completed("complete info thr"), "info threads\n");
    assert_eq!(completed("complete help info thr"), "help info threads\n");
    assert_eq!(completed("complete set sty"), "set style\n");
    assert_eq!(
        completed("complete set style enabled "),
        "set style enabled off\nset style enabled on\n"
    );
    assert!(completed("complete thread apply all py-b").contains("thread apply all py-bt\n"));
}
