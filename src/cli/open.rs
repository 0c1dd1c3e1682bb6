//! Opening and leaving targets: from a path or a PID to a process image, its files and its
//! Python. The answer to that is [`super::banner`].

use super::Session;
use super::banner::Banner;
use super::line::path;
use pydbg::dump::{self, DumpError};
use pydbg::python::runtime::Runtime;
use pydbg::target::{self, OpenError, Options, Target};
use std::io::Read;
use std::path::Path;
use std::time::Instant;

impl Session {
    /// Opens a core file. The target that was open before is left only if that succeeds.
    pub fn open_core(&mut self, core: &Path, exe: Option<&Path>) -> Result<(), OpenError> {
        let options = self.file_options(exe);
        let start = Instant::now();
        let target = target::core::open(&path(core), &options)?;
        self.adopt(target, options, start, None);
        Ok(())
    }

    /// Attaches to a live process and stops it (unless `--no-stop`).
    pub fn open_attach(&mut self, pid: i32, exe: Option<&Path>) -> Result<(), OpenError> {
        let options = self.file_options(exe);
        // A process can be held only once: to attach again is to look at it anew.
        if let Some(number) = self.inferior_of(pid) {
            self.select_inferior(number);
            self.inferior.resume();
        }
        let start = Instant::now();
        let rehearsal = self.rehearse(pid, &options);
        let Some(rehearsal) = rehearsal else {
            let target = target::live::attach(pid, &options)?;
            self.adopt(target, options, start, None);
            return Ok(());
        };
        let target = rehearsal.glimpse(pid, &options)?;
        self.adopt(target, options.clone(), start, rehearsal.runtime.as_ref());
        if self.reads_beyond_the_copy() {
            // The process did not stand where the rehearsal saw it: look at it while it is held.
            let start = Instant::now();
            let target = rehearsal.hold(pid, &options, self.inferior.found())?;
            self.adopt(target, options, start, rehearsal.runtime.as_ref());
        }
        Ok(())
    }

    /// Copies a live process, lets it run on and opens the copy; with `fork` it stands still only
    /// for a fork.
    pub fn open_snapshot(
        &mut self,
        pid: i32,
        exe: Option<&Path>,
        fork: bool,
    ) -> Result<(), DumpError> {
        let options = self.file_options(exe);
        // A process can be held only once.
        if let Some(number) = self.inferior_of(pid) {
            self.select_inferior(number);
            self.inferior.resume();
        }
        let start = Instant::now();
        let target = dump::snapshot(pid, &options, fork)?;
        self.adopt(target, options, start, None);
        Ok(())
    }

    /// Opens what one or two words of the command line name: `CORE`, `EXE CORE` or `EXE PID`.
    /// Which of two files is the core is found by content.
    pub fn open_files(&mut self, first: &Path, second: Option<&Path>) -> Result<(), OpenError> {
        let pid_in = |word: &Path| word.to_str().and_then(|word| word.parse::<i32>().ok());
        let Some(second) = second else {
            return match pid_in(first) {
                Some(pid) if !first.exists() => Err(OpenError::File {
                    path: first.to_owned(),
                    why: format!("no such file; for a running process, use `pydbg attach {pid}`"),
                }),
                _ => self.open_core(first, None),
            };
        };
        let pid = pid_in(second);
        match pid {
            Some(pid) if !second.exists() => self.open_attach(pid, Some(first)),
            _ if is_core(first) && !is_core(second) => self.open_core(first, Some(second)),
            _ => self.open_core(second, Some(first)),
        }
    }

    /// What to say of the target that was just opened. In a batch a live one is let go first, if
    /// the commands to come allow it.
    pub fn banner(&mut self) -> anyhow::Result<Banner> {
        self.release();
        Banner::of(self)
    }

    /// Leaves the target: a live process runs on. What was left, in gdb's words; `None` without a
    /// target.
    pub fn close(&mut self) -> Option<String> {
        self.again = None;
        self.inferior.close()
    }

    /// Where files are looked for, from the settings and the command line.
    pub fn file_options(&self, exe: Option<&Path>) -> Options {
        let folders = self.settings.get("debug-file-directory");
        Options {
            exe: exe.map(path).or(self.options.exe.clone()),
            sysroot: (self.settings.get_text("sysroot")).map(|folder| path(folder.as_ref())),
            debug_dirs: (folders.split(':'))
                .filter(|folder| !folder.is_empty())
                .map(|folder| path(folder.as_ref()))
                .collect(),
            ..self.options.clone()
        }
    }

    fn adopt(
        &mut self,
        target: Target,
        options: Options,
        start: Instant,
        runtime: Option<&Runtime>,
    ) {
        self.close();
        // The executable that was named belongs to this target, not to the next one.
        self.options = Options {
            exe: None,
            ..options
        };
        self.inferior.adopt(target, start, runtime);
    }
}

/// Whether the file is an ELF core, or packed as cores often are.
fn is_core(path: &Path) -> bool {
    const ET_CORE: u16 = 4;
    let mut head = Vec::new();
    // Only a regular file is opened: opening a FIFO would wait for its writer.
    let is_file = std::fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let read = is_file.then(|| std::fs::File::open(path).ok()).flatten();
    if read.is_none_or(|file| file.take(18).read_to_end(&mut head).is_err()) {
        return false;
    }
    head.starts_with(b"\x7fELF") && pydbg::bytes::u16_at(&head, 16) == Some(ET_CORE)
        || target::packed::Format::of(&head).is_some()
}
