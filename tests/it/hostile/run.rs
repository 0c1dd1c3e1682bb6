//! One run of pydbg on hostile input, and what must be true of every such run.

use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

/// Seconds of processor time any run may take, in a debug build. A run that waits for something
/// is ended after sixty times as long, for the machine may be busy and its disk slow.
const MOST_TIME: &str = "5";
/// KiB of private writable memory any run may use (the core itself is mapped, not counted).
const MOST_MEMORY: &str = "400000";

/// A run that ended well.
pub(super) struct Run {
    pub(super) status: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Run {
    /// The JSON document of a command; `None` when it printed none.
    pub(super) fn document(&self, command: &str) -> Option<Value> {
        let mut documents = self
            .stdout
            .lines()
            .filter_map(|l| serde_json::from_str(l).ok());
        documents.find(|document: &Value| document["command"] == command)
    }
}

/// Runs `pydbg ARGS --batch` with these commands and bounded memory.
pub(super) fn run(args: &[&str], commands: &[&str]) -> Result<Run, String> {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -c 0; ulimit -t $0; ulimit -d $1; shift; exec \"$@\"",
        ])
        .args([MOST_TIME, MOST_MEMORY])
        .args(["timeout", "-k", "1", "300", env!("CARGO_BIN_EXE_pydbg")])
        .args(args)
        .args(["--batch", "-nx", "-q"]);
    for line in commands {
        command.args(["-ex", line]);
    }
    let output = command
        .env_remove("DEBUGINFOD_URLS")
        .stdin(Stdio::null())
        .output()
        .expect("sh");
    let stdout = String::from_utf8(output.stdout).map_err(|_| "stdout is not UTF-8")?;
    let stderr = String::from_utf8(output.stderr).map_err(|_| "stderr is not UTF-8")?;
    let told = || stderr.lines().take(3).collect::<Vec<_>>().join(" / ");
    let status = match (output.status.signal(), output.status.code()) {
        (None, Some(code @ 0..=4)) => code,
        _ => return Err(format!("ended with {:?}: {}", output.status, told())),
    };
    let bug = |text: &str| text.contains("panicked") || text.contains("bug in pydbg");
    if bug(&stderr) || bug(&stdout) {
        return Err(format!("panicked: {}", told()));
    }
    if let Some(c) = stdout.chars().chain(stderr.chars()).find(|c| is_raw(*c)) {
        return Err(format!("printed {c:?} raw"));
    }
    Ok(Run {
        status,
        stdout,
        stderr,
    })
}

/// Whether a character steers a terminal or reorders a line.
fn is_raw(c: char) -> bool {
    matches!(c,
        '\0'..='\t' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
