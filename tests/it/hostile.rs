//! Damaged and hostile input: a clear line or a partial answer, never a panic, a hang, unbounded
//! memory or a raw control character. The damages are those of `docs/support.md`.

use crate::harness::corefile::CoreFile;
use crate::harness::{Failures, Fixture, Interpreter, interpreters, top};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No run may take longer, whatever the file (a debug build on a busy machine included).
const LONGEST: Duration = Duration::from_secs(20);
/// Bytes of private writable memory any run may use (the core itself is mapped, not counted).
const MOST_MEMORY: &str = "400000";

/// A run on damaged input.
struct Run {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs pydbg with bounded memory and holds what must be true of every run.
fn run(args: &[&str]) -> Result<Run, String> {
    let start = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -d $0; exec \"$@\"", MOST_MEMORY])
        .args(["timeout", "-k", "1", "30", env!("CARGO_BIN_EXE_pydbg")])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh");
    let _ = child.stdin.take();
    let output = child.wait_with_output().expect("wait");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = || stderr.lines().take(3).collect::<Vec<_>>().join(" / ");
    if output.status.signal().is_some() || !matches!(output.status.code(), Some(0..=4)) {
        return Err(format!("ended with {:?}: {}", output.status, told()));
    }
    if stderr.contains("panicked")
        || stderr.contains("bug in pydbg")
        || stdout.contains("bug in pydbg")
    {
        return Err(format!("panicked: {}", told()));
    }
    if start.elapsed() > LONGEST {
        return Err(format!("took {:?}", start.elapsed()));
    }
    let control = |c: char| (c < ' ' && c != '\n') || ('\x7f'..='\u{9f}').contains(&c);
    if stdout.chars().chain(stderr.chars()).any(control) {
        return Err("printed a control character".into());
    }
    Ok(Run {
        status: output.status.code(),
        stdout,
        stderr,
    })
}

/// The frames of each thread, by ident.
fn frames(core: &Path) -> Result<(Vec<Value>, Option<i32>), String> {
    let path = core.to_str().expect("UTF-8");
    let run = run(&[
        "core",
        path,
        "--batch",
        "-nx",
        "-q",
        "--json",
        "-ex",
        "py-bt all",
    ])?;
    let document = run
        .stdout
        .lines()
        .find_map(|l| serde_json::from_str::<Value>(l).ok());
    let threads = document.and_then(|d| d["data"]["threads"].as_array().cloned());
    if threads.is_none() && run.stderr.trim().is_empty() && !run.stdout.contains("error") {
        return Err("neither an answer nor a word why".into());
    }
    Ok((threads.unwrap_or_default(), run.status))
}

/// A frame as one line, without what damage elsewhere may change.
fn line(frame: &Value) -> String {
    format!("{} {}:{}", frame["function"], frame["file"], frame["line"])
}

/// How many of the whole answer's frames the damaged core's answer still has, thread by thread.
fn kept(whole: &[Value], damaged: &[Value]) -> (usize, usize) {
    let empty = Vec::new();
    let (mut kept, mut total) = (0, 0);
    for thread in whole {
        let lines = |t: &Value| -> Vec<String> {
            t["frames"]
                .as_array()
                .unwrap_or(&empty)
                .iter()
                .map(line)
                .collect()
        };
        let want = lines(thread);
        total += want.len();
        let same = |t: &&Value| {
            t["tstate"] == thread["tstate"] || (thread["tid"].is_i64() && t["tid"] == thread["tid"])
        };
        let have: Vec<String> = damaged.iter().filter(same).flat_map(lines).collect();
        let mut at = 0;
        for frame in &want {
            if let Some(found) = have[at..].iter().position(|h| h == frame) {
                at += found + 1;
                kept += 1;
            }
        }
    }
    (kept, total)
}

/// Offsets a damage needs to know: where a frame keeps its caller and its code.
struct Offsets {
    previous: u64,
    code: u64,
    tstate_next: u64,
}

fn offsets(interpreter: &Interpreter) -> Offsets {
    let (previous, code) = match interpreter.version {
        (3, 0..=10) => (24, 32),
        (3, 11) => (48, 32),
        _ => (8, 0),
    };
    Offsets {
        previous,
        code,
        tstate_next: 8,
    }
}

fn address(value: &Value) -> u64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no address"));
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hex")
}

/// What must be left of the stacks after a damage.
enum Keeps {
    /// Every frame.
    All,
    /// All but this many.
    AllBut(usize),
    /// At least this percentage.
    Percent(usize),
}

type Damage<'a> = (&'a str, Keeps, Box<dyn Fn(&mut CoreFile) + 'a>);

fn damages<'a>(whole: &'a [Value], offsets: &'a Offsets, fifo: &'a str) -> Vec<Damage<'a>> {
    const PRSTATUS: u32 = 1;
    const FILE: u32 = 0x4649_4c45;
    // A thread with a deep stack in the middle of the list, and a frame in its middle.
    let deep = whole
        .iter()
        .max_by_key(|t| t["frames"].as_array().map_or(0, Vec::len))
        .unwrap();
    let stack = deep["frames"].as_array().unwrap();
    let middle = stack.len() / 2;
    let frame = address(&stack[middle]["address"]);
    let inner = address(&stack[middle - 1]["address"]);
    let lost = stack.len() - middle - 1;
    let tstate = address(&whole[whole.len() / 2]["tstate"]);
    let mut list: Vec<Damage<'a>> = Vec::new();
    let mut add =
        |name, keeps, damage: Box<dyn Fn(&mut CoreFile) + 'a>| list.push((name, keeps, damage));
    for (name, percent, keeps) in [
        ("cut at 99 %", 99, Keeps::Percent(60)),
        ("cut at 90 %", 90, Keeps::Percent(0)),
        ("cut at 50 %", 50, Keeps::Percent(0)),
        ("cut at 10 %", 10, Keeps::Percent(0)),
        ("cut at 1 %", 1, Keeps::Percent(0)),
    ] {
        add(
            name,
            keeps,
            Box::new(move |c| c.bytes.truncate(c.bytes.len() / 100 * percent)),
        );
    }
    for (name, size) in [
        ("cut at 4000", 4000),
        ("cut at 64", 64),
        ("cut at 40", 40),
        ("empty", 0),
    ] {
        add(
            name,
            Keeps::Percent(0),
            Box::new(move |c| c.bytes.truncate(size)),
        );
    }
    add(
        "note header ffffffff",
        Keeps::All,
        Box::new(|c| {
            let at = c.note(FILE).header;
            c.write(at, &[0xff; 8]);
        }),
    );
    add(
        "second PRSTATUS header ffffffff",
        Keeps::All,
        Box::new(|c| {
            let notes: Vec<_> = c
                .notes()
                .into_iter()
                .filter(|n| n.kind == PRSTATUS)
                .collect();
            c.write(notes[1].header, &[0xff; 8]);
        }),
    );
    add(
        "short PRSTATUS",
        Keeps::All,
        Box::new(|c| {
            let at = c.note(PRSTATUS).header;
            c.write(at + 4, &40u32.to_le_bytes());
        }),
    );
    add(
        "NT_FILE missing",
        Keeps::All,
        Box::new(|c| {
            let at = c.note(FILE).header;
            c.write(at + 8, &77u32.to_le_bytes());
        }),
    );
    add(
        "NT_FILE count 2^60",
        Keeps::All,
        Box::new(|c| {
            let at = c.note(FILE).desc;
            c.write(at, &(1u64 << 60).to_le_bytes());
        }),
    );
    add(
        "NT_FILE count + 1000",
        Keeps::All,
        Box::new(|c| {
            let at = c.note(FILE).desc;
            let count = c.word(at) + 1000;
            c.write(at, &count.to_le_bytes());
        }),
    );
    add(
        "NT_FILE names a FIFO",
        Keeps::All,
        Box::new(move |c| {
            let note = c.note(FILE);
            let names = note.desc + 16 + c.word(note.desc) as usize * 24;
            let end = note.desc + note.size;
            let mut at = names;
            while at < end {
                let len = c.bytes[at..end].iter().position(|&b| b == 0).unwrap_or(0);
                if len >= fifo.len() {
                    let padded = format!("{}{fifo}", "/".repeat(len - fifo.len()));
                    c.write(at, padded.as_bytes());
                }
                at += len + 1;
            }
        }),
    );
    add(
        "registers zero",
        Keeps::All,
        Box::new(|c| {
            for note in c.notes().into_iter().filter(|n| n.kind == PRSTATUS) {
                c.write(note.desc + 112, &[0; 27 * 8]);
            }
        }),
    );
    add(
        "registers garbage",
        Keeps::All,
        Box::new(|c| {
            for note in c.notes().into_iter().filter(|n| n.kind == PRSTATUS) {
                c.write(note.desc + 112, &[0xa5; 27 * 8]);
            }
        }),
    );
    add(
        "ELF class",
        Keeps::Percent(0),
        Box::new(|c| c.write(4, &[1])),
    );
    add("ELF type", Keeps::All, Box::new(|c| c.write(16, &[2])));
    add(
        "ELF phnum ffff",
        Keeps::Percent(0),
        Box::new(|c| c.write(56, &[0xff, 0xff])),
    );
    add(
        "ELF phnum + 40",
        Keeps::All,
        Box::new(|c| {
            let count = c.half(56) + 40;
            c.write(56, &count.to_le_bytes());
        }),
    );
    add(
        "ELF phentsize 0",
        Keeps::Percent(0),
        Box::new(|c| c.write(54, &[0, 0])),
    );
    add(
        "a thread state's next is garbage",
        Keeps::Percent(30),
        Box::new(move |c| {
            c.poke(tstate + offsets.tstate_next, 0x4141_4141_4141_4141);
        }),
    );
    add(
        "a thread state's next is itself",
        Keeps::Percent(30),
        Box::new(move |c| {
            c.poke(tstate + offsets.tstate_next, tstate);
        }),
    );
    add(
        "a frame's caller is itself",
        Keeps::AllBut(lost),
        Box::new(move |c| {
            c.poke(frame + offsets.previous, frame);
        }),
    );
    add(
        "a frame's caller is its callee",
        Keeps::AllBut(lost),
        Box::new(move |c| {
            c.poke(frame + offsets.previous, inner);
        }),
    );
    add(
        "a frame's caller is garbage",
        Keeps::AllBut(lost),
        Box::new(move |c| {
            c.poke(frame + offsets.previous, 0x1234_5678_9abc);
        }),
    );
    add(
        "a frame's code is garbage",
        Keeps::AllBut(1),
        Box::new(move |c| {
            c.poke(frame + offsets.code, 0x4242_4242_4240);
        }),
    );
    for seed in 1..=3u64 {
        add(
            "2,000 random heap bytes",
            Keeps::Percent(70),
            Box::new(move |c| scribble(c, seed, 2000)),
        );
        add(
            "200,000 random heap bytes",
            Keeps::Percent(0),
            Box::new(move |c| scribble(c, seed, 200_000)),
        );
    }
    list
}

/// Random bytes at random places of the dumped memory; the same for the same seed.
fn scribble(core: &mut CoreFile, seed: u64, count: usize) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let ranges: Vec<_> = core.memory().filter(|r| r.len() > 4096).collect();
    let total: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    for _ in 0..count {
        let mut at = random() as usize % total;
        let byte = random() as u8;
        for range in &ranges {
            if at < range.len() {
                core.bytes[range.start + at] = byte;
                break;
            }
            at -= range.len();
        }
    }
}

#[test]
fn damaged_cores() {
    let mut failures = Failures::default();
    let wanted = [
        "pyenv-3.8",
        "pyenv-3.10",
        "pyenv-3.11",
        "pyenv-3.12",
        "pyenv-3.13",
    ];
    for interpreter in interpreters()
        .iter()
        .filter(|i| wanted.contains(&i.id.as_str()))
    {
        let mut fixture = Fixture::start(interpreter, "many_threads", &["6", "12"]);
        let core = fixture.kernel_core();
        let (whole, _) = frames(&core).expect("the undamaged core opens");
        let fifo = fixture.dir().join("f");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
        let undamaged = CoreFile::read(&core);
        let path = fixture.dir().join("damaged");
        let offsets = offsets(interpreter);
        for (name, keeps, damage) in damages(&whole, &offsets, fifo.to_str().expect("UTF-8")) {
            let mut damaged = undamaged.clone();
            damage(&mut damaged);
            std::fs::write(&path, &damaged.bytes).expect("write");
            let result = frames(&path).and_then(|(threads, _)| {
                let (kept, total) = kept(&whole, &threads);
                let least = match keeps {
                    Keeps::All => total,
                    Keeps::AllBut(lost) => total - lost,
                    Keeps::Percent(percent) => total * percent / 100,
                };
                if kept < least {
                    return Err(format!(
                        "{kept} of {total} frames kept, at least {least} must be"
                    ));
                }
                Ok(())
            });
            failures.check(&format!("{} {name}", interpreter.id), result);
        }
    }
    failures.finish();
}

#[test]
fn files_that_are_no_cores() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut failures = Failures::default();
    let mut refuse = |name: &str, path: &Path| {
        let result = run(&["core", path.to_str().expect("UTF-8"), "--batch", "-nx"]).and_then(
            |run| match run.status {
                Some(4) if !run.stderr.trim().is_empty() => Ok(()),
                status => Err(format!("status {status:?}, {}", run.stderr)),
            },
        );
        failures.check(name, result);
    };
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("write");
        path
    };
    refuse("empty", &write("empty", b""));
    refuse("text", &write("text", b"hello\n"));
    refuse("ELF magic alone", &write("magic", b"\x7fELF"));
    refuse("an executable", Path::new(env!("CARGO_BIN_EXE_pydbg")));
    refuse("a folder", dir.path());
    refuse("a device", Path::new("/dev/zero"));
    refuse("a missing file", &dir.path().join("missing"));
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    refuse("a FIFO", &fifo);
    let mut header = vec![0u8; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[16] = 4;
    header[18] = 183; // EM_AARCH64
    refuse("another machine", &write("aarch64", &header));
    header[4] = 1;
    header[18] = 3; // EM_386
    refuse("32 bits", &write("i386", &header));
    failures.finish();
}

/// File names in the target must not make pydbg open what they name, nor print what they say raw.
#[test]
fn source_files_named_by_the_target() {
    let mut failures = Failures::default();
    for interpreter in interpreters()
        .iter()
        .filter(|i| i.id == "pyenv-3.11" || i.id == "pyenv-3.8")
    {
        let mut fixture = Fixture::start(interpreter, "hostile_files", &[]);
        let core = fixture.kernel_core();
        let path = core.to_str().expect("UTF-8");
        for command in [
            "py-bt all",
            "bt all",
            "info threads",
            "thread apply all py-list",
        ] {
            let result = run(&["core", path, "--batch", "-nx", "-ex", command]).and_then(|run| {
                if run.stdout.contains("root:x:0") {
                    return Err("printed /etc/passwd".into());
                }
                if run.stdout.lines().any(|l| l.starts_with("Thread 99999")) {
                    return Err("printed a forged thread".into());
                }
                Ok(())
            });
            failures.check(&format!("{} {command}", interpreter.id), result);
        }
    }
    failures.finish();
}

#[test]
fn the_damages_have_a_page() {
    assert!(top().join("docs/support.md").exists());
}
