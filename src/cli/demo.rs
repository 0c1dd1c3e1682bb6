//! `pydbg demo`: a deadlocked Python process made with the python3 there is, and its core.
//!
//! Where the kernel hands cores to a program (systemd, apport) the core comes from gcore, and
//! where there is none either the process is opened live.

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, mkdtemp};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The program that deadlocks.
const PROGRAM: &str = include_str!("../../fixtures/demo.py");

/// What the demo opens.
pub enum Opened {
    /// A core file.
    Core(PathBuf),
    /// A live process.
    Live(i32),
}

/// A deadlocked process and its core; dropping it removes both.
pub struct Demo {
    folder: PathBuf,
    child: Child,
    /// What to open.
    pub opened: Opened,
    /// How it came about, in a sentence.
    pub story: String,
}

impl Demo {
    /// Starts the program, waits until it is stuck and takes its core.
    pub fn make() -> anyhow::Result<Demo> {
        let template = std::env::temp_dir().join("pydbg-demo-XXXXXX");
        let folder = mkdtemp(&template).context("cannot make a temporary folder")?;
        let program = folder.join("bank.py");
        fs::write(&program, PROGRAM)?;
        // The process inherits the limit; with a limit of 0 the kernel writes no core.
        if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE) {
            let _ = setrlimit(Resource::RLIMIT_CORE, hard, hard);
        }
        let mut child = Command::new("python3")
            .arg(&program)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run python3; the demo needs one (pydbg itself does not)")?;
        let stdout = child.stdout.take().context("no pipe")?;
        let pid = child.id() as i32;
        let mut demo = Demo {
            folder,
            child,
            opened: Opened::Live(pid),
            story: String::new(),
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != "deadlocked" {
            bail!("python3 ended before it was stuck");
        }
        // The line is printed a moment before the main thread too gets stuck.
        std::thread::sleep(Duration::from_millis(300));
        demo.dump(pid)?;
        Ok(demo)
    }

    fn dump(&mut self, pid: i32) -> anyhow::Result<()> {
        if let Some(core) = self.kernel_core(pid)? {
            self.story = format!(
                "killed it with SIGABRT; the kernel wrote {}",
                core.display()
            );
            self.opened = Opened::Core(core);
        } else if let Some(core) = self.gcore(pid) {
            self.story = format!("gcore wrote {}", core.display());
            self.opened = Opened::Core(core);
        } else {
            self.story = "no core can be had here, so it is opened live".into();
        }
        Ok(())
    }

    /// The kernel's core, when `core_pattern` puts it beside the process.
    fn kernel_core(&mut self, pid: i32) -> anyhow::Result<Option<PathBuf>> {
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
        let limited = getrlimit(Resource::RLIMIT_CORE).is_ok_and(|(soft, _)| soft == 0);
        if limited || pattern.starts_with('|') || pattern.contains('/') {
            return Ok(None);
        }
        kill(Pid::from_raw(pid), Signal::SIGABRT)?;
        self.child.wait()?;
        let core = first_with_prefix(&self.folder, "core");
        if core.is_none() {
            bail!("the kernel wrote no core into {}", self.folder.display());
        }
        Ok(core)
    }

    fn gcore(&self, pid: i32) -> Option<PathBuf> {
        let prefix = self.folder.join("core");
        let mut gcore = Command::new("gcore");
        gcore.arg("-o").arg(prefix).arg(pid.to_string());
        gcore
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        gcore
            .status()
            .ok()
            .filter(std::process::ExitStatus::success)?;
        first_with_prefix(&self.folder, "core")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn first_with_prefix(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    entries
        .find(|e| e.file_name().to_string_lossy().starts_with(prefix))
        .map(|e| e.path())
}
