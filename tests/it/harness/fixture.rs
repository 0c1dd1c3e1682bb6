//! Running fixtures: start one, wait for its truth, take its cores.

use super::{Interpreter, Truth, census_size, fixtures, libraries};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a fixture may take to write its truth; generous, because machines are shared. A census of
/// millions of objects, which somebody asked for, takes its time.
fn patience() -> Duration {
    Duration::from_secs(if census_size().is_some() { 1200 } else { 120 })
}

/// How long threads are waited for to be back in their system calls.
const SETTLING: Duration = Duration::from_millis(300);

/// The exit status of a fixture that cannot run on an interpreter.
const SKIPPED: i32 = 77;

/// What the first lines of a fixture say.
pub(crate) struct Header {
    /// The lowest version it is for.
    pub(crate) minimum: (u8, u8),
    /// Argument lists worth a run; the empty one is always among them.
    pub(crate) variants: Vec<Vec<String>>,
}

/// The header of a fixture; `None` for a helper file.
pub(crate) fn header(name: &str) -> Option<Header> {
    let text = fs::read_to_string(fixtures().join(format!("{name}.py"))).ok()?;
    let mut lines = text.lines();
    let (_, tail) = lines
        .next()?
        .strip_prefix("# fixture: ")?
        .split_once("minimum=")?;
    let (major, minor) = tail.split(' ').next()?.split_once('.')?;
    let mut variants = vec![Vec::new()];
    if let Some(list) = lines
        .next()
        .and_then(|line| line.strip_prefix("# variants: "))
    {
        let words = |list: &str| list.split_whitespace().map(str::to_owned).collect();
        variants.extend(list.split(',').map(words));
    }
    Some(Header {
        minimum: (major.parse().ok()?, minor.parse().ok()?),
        variants,
    })
}

/// A fixture that has written its truth and now waits, or has crashed.
pub(crate) struct Fixture {
    child: Child,
    dir: TempDir,
    /// What it says of itself.
    pub(crate) truth: Truth,
}

/// A fixture that ended, or was ended for taking too long, without a truth.
struct NoTruth {
    ended: Option<ExitStatus>,
    stderr: String,
}

fn is_segv(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::SIGSEGV as i32)
}

impl Fixture {
    /// Starts `name` on `interpreter` and waits for its truth.
    pub(crate) fn start(interpreter: &Interpreter, name: &str, args: &[&str]) -> Fixture {
        let args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
        Fixture::start_or_skip(interpreter, name, &args)
            .unwrap_or_else(|| panic!("{name} skipped itself on {}", interpreter.id))
    }

    /// Like [`Fixture::start`]; `None` when the fixture says that it cannot run there.
    pub(crate) fn start_or_skip(
        interpreter: &Interpreter,
        name: &str,
        args: &[String],
    ) -> Option<Fixture> {
        // CPython 3.13t itself was seen to die of SIGSEGV in a busy program, before it had written
        // its truth and before anybody looked.
        let mut tries = if interpreter.has("nogil") { 3 } else { 1 };
        loop {
            tries -= 1;
            match Fixture::start_once(interpreter, name, args) {
                Ok(fixture) => return fixture,
                Err(NoTruth { ended, .. }) if tries > 0 && ended.is_some_and(is_segv) => {
                    println!("{name} on {}: died of SIGSEGV", interpreter.id);
                }
                Err(NoTruth { ended, stderr }) => panic!(
                    "{name} on {}: no truth ({ended:?}): {stderr}",
                    interpreter.id
                ),
            }
        }
    }

    fn start_once(
        interpreter: &Interpreter,
        name: &str,
        args: &[String],
    ) -> Result<Option<Fixture>, NoTruth> {
        let dir = tempfile::Builder::new()
            .prefix("pydbg-fixture-")
            .tempdir_in(interpreter.root.join("tmp"))
            .expect("no temporary folder");
        // A fixture in a root folder of its own cannot see this checkout.
        for entry in fs::read_dir(fixtures())
            .expect("no fixtures folder")
            .flatten()
        {
            if entry
                .path()
                .extension()
                .is_some_and(|e| e == "py" || e == "c" || e == "cc" || e == "so")
            {
                fs::copy(entry.path(), dir.path().join(entry.file_name())).expect("copy");
            }
        }
        libraries::add(dir.path(), name);
        let inside = |path: &Path| -> PathBuf {
            let tail = path
                .strip_prefix(&interpreter.root)
                .expect("inside the root");
            Path::new("/").join(tail)
        };
        let out = dir.path().join("truth.json");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]);
        if interpreter.is_chroot() {
            // The root folder has no shell; the core must land in the fixture's own folder.
            command.arg("unshare").arg("--root").arg(&interpreter.root);
            command.arg("--wd").arg(inside(dir.path()));
        }
        command.envs(interpreter.environment.iter().cloned());
        command
            .args(&interpreter.launcher)
            .arg(&interpreter.python)
            .arg(inside(dir.path()).join(format!("{name}.py")));
        command.arg(inside(&out)).args(args);
        command
            .current_dir(dir.path())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(dir.path().join("stderr")).expect("stderr file"));
        let mut child = command.spawn().expect("cannot start the interpreter");
        let start = Instant::now();
        while !out.exists() {
            let ended = child.try_wait().expect("wait");
            if (ended.is_some() && !out.exists()) || start.elapsed() > patience() {
                let stderr = fs::read_to_string(dir.path().join("stderr")).unwrap_or_default();
                let _ = child.kill();
                let _ = child.wait();
                return match ended.is_some_and(|status| status.code() == Some(SKIPPED)) {
                    true => Ok(None),
                    false => Err(NoTruth { ended, stderr }),
                };
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let truth = Truth::read(&out);
        Ok(Some(Fixture { child, dir, truth }))
    }

    /// The process to look at; a fixture that forks names its child.
    pub(crate) fn pid(&self) -> i32 {
        self.truth.pid
    }

    fn is_forked(&self) -> bool {
        self.pid() != self.child.id() as i32
    }

    fn signal(&self, pid: i32, signal: Signal) {
        kill(Pid::from_raw(pid), signal).expect("kill");
    }

    /// Whether the process has neither ended nor become a zombie.
    fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let state = stat
            .rsplit(')')
            .next()
            .and_then(|tail| tail.trim().chars().next());
        state.is_some_and(|state| state != 'Z')
    }

    /// The fixture's own folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A core as gdb's gcore writes it; the process goes on.
    pub(crate) fn gcore(&self) -> PathBuf {
        let prefix = self.dir().join("gcore");
        let pid = self.pid().to_string();
        let output = Command::new("gcore")
            .arg("-o")
            .arg(&prefix)
            .arg(&pid)
            .stdin(Stdio::null())
            .output()
            .expect("gcore is not installed");
        let core = self.dir().join(format!("gcore.{pid}"));
        assert!(
            core.exists(),
            "gcore: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        core
    }

    /// Waits for the threads that a debugger has let go to be back in their system calls: on a busy machine
    /// some are still on the way there. Those that spin never are, so it does not wait for long.
    fn settle(&self) {
        let deadline = Instant::now() + SETTLING;
        let state = |folder: fs::DirEntry| {
            let stat = fs::read_to_string(folder.path().join("stat")).ok()?;
            stat.rsplit(')').next()?.trim().chars().next()
        };
        let rests = || {
            let folders = fs::read_dir(format!("/proc/{}/task", self.pid()));
            let mut states = folders.into_iter().flatten().flatten().filter_map(state);
            states.all(|state| !matches!(state, 'R' | 't' | 'T'))
        };
        while !rests() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The kernel's core: aborts the process from outside, or waits for its own crash.
    pub(crate) fn kernel_core(&mut self) -> PathBuf {
        let start = Instant::now();
        if self.truth.exit == "wait" {
            if self.is_forked() {
                // The parent dies as its child did, and its core would replace the child's.
                self.signal(self.child.id() as i32, Signal::SIGSTOP);
            }
            self.settle();
            self.signal(self.pid(), Signal::SIGABRT);
        }
        while self.is_alive() {
            assert!(
                start.elapsed() < patience(),
                "the process did not die: {:?}, {:?}",
                self.truth.probes.get("argv"),
                self.truth.probes.get("implementation")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        ["core".to_owned(), format!("core.{}", self.pid())]
            .iter()
            .map(|name| self.dir().join(name))
            .find(|path| path.exists())
            .expect("the kernel wrote no core here: is /proc/sys/kernel/core_pattern \"core\"?")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if self.is_forked() {
            let _ = kill(Pid::from_raw(self.pid()), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
