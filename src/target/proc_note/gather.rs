//! Reads of a live process what the note keeps, in three steps, so that the process stands still for
//! as little of it as possible: what a stop would change is read before it, what must fit the memory
//! during it, and what other processes tell after it.

use super::names;
use super::pack::{Packer, Told};
use super::records::{Child, Opened, ThreadState};
use crate::target::file_locks::{self, FileLock};
use crate::target::proc::{self, MOST_FDS, Task};
use crate::target::proc_files::ProcFiles;
use crate::target::remote::Remote;
use crate::target::resident;
use crate::target::sharing::Sharing;
use crate::target::snapshot::{Room, Snapshot};
use crate::target::{Mapping, Memory, Origin, Target, clocks, maps, sockets};
use rustc_hash::FxHashSet;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is kept of each thread.
const OF_THREADS: [&str; 5] = ["comm", "stat", "status", "wchan", "syscall"];

/// Those of them that a stop does not make worthless.
const OF_STOPPED_THREADS: [&str; 3] = ["comm", "stat", "status"];

/// What is kept of the process beside that.
const OF_PROCESS: [&str; 5] = ["limits", "cgroup", "mountinfo", "io", "cpuset"];

/// Links that are kept.
const LINKS: [&str; 3] = ["exe", "cwd", "root"];

/// The most bytes of one file, but for smaps.
const MOST_FILE: u64 = 4 << 20;

/// The most bytes of smaps: some 700 for each of 65,530 mappings do not fit, 40,000 do.
const MOST_SMAPS: u64 = 28 << 20;

/// The most threads that are kept.
const MOST_THREADS: usize = 16_384;

/// How long descriptors are looked at while the process stands still; the rest is after that.
const PATIENCE_STOPPED: Duration = Duration::from_millis(20);

/// How long other processes are asked which locks they have.
const PATIENCE_OTHERS: Duration = Duration::from_millis(500);

/// The most locks of others that other processes are asked for.
const MOST_ASKED: usize = 64;

/// What is read before a process is stopped. A stop hides in which states its threads are and what
/// they wait for in the kernel; how much of its memory is in RAM takes the kernel long to tell.
#[derive(Default)]
pub struct Before {
    process: Vec<(String, Told)>,
    threads: Vec<(String, Told)>,
    in_ram: Option<InRam>,
}

impl Before {
    /// Reads it of a process that runs, of which smaps has been read.
    pub fn read(pid: i32, smaps: Vec<u8>) -> Before {
        let task = Task::of(pid);
        Before {
            process: of_process(task),
            threads: of_threads(pid, &OF_THREADS),
            in_ram: Some(InRam::running(task, smaps)),
        }
    }

    /// What is left of it for a process that stands still already.
    fn too_late(pid: i32) -> Before {
        let task = Task::of(pid);
        Before {
            process: of_process(task),
            threads: of_threads(pid, &OF_STOPPED_THREADS),
            in_ram: None,
        }
    }
}

/// The mappings, and which of their pages are in RAM.
struct InRam {
    mappings: Vec<Mapping>,
    smaps: Vec<u8>,
    /// By what is kept of [`resident::live`].
    resident: Told,
}

impl InRam {
    /// By what smaps has told of a process that runs.
    fn running(task: Task, smaps: Vec<u8>) -> InRam {
        let mappings = maps::parse(&smaps);
        let (remote, _) = Remote::open(task, Arc::default());
        let memory = Snapshot::new(remote, &mappings, false, Room::default());
        InRam::told(task, smaps, mappings, &memory)
    }

    /// Of a process that stands still; what is wrong with it in words.
    fn stopped(task: Task, target: &Target) -> Result<InRam, String> {
        let smaps = task.read_at_most("smaps", MOST_SMAPS + 1);
        let smaps = smaps.map_err(|error| error.to_string())?;
        let mappings = target.mappings.clone();
        Ok(InRam::told(task, smaps, mappings, &*target.memory))
    }

    fn told(task: Task, smaps: Vec<u8>, mappings: Vec<Mapping>, memory: &dyn Memory) -> InRam {
        let resident = resident::live(&smaps, task, &mappings, memory);
        InRam {
            resident: resident
                .map(|found| found.packed())
                .map_err(|error| error.to_string()),
            mappings,
            smaps,
        }
    }

    fn pack(&self, packer: &mut Packer) {
        if self.smaps.len() as u64 > MOST_SMAPS {
            return packer.leave_out("smaps", "too large");
        }
        packer.file(names::RESIDENT, &self.resident);
        packer.bytes("smaps", &self.smaps);
    }
}

fn of_process(task: Task) -> Vec<(String, Told)> {
    let files = ["status", "stat"].into_iter();
    // By the process, not by the thread: their times differ.
    let read = |name: &str| read(&format!("/proc/{}/{name}", task.pid), MOST_FILE);
    files.map(|name| (name.to_owned(), read(name))).collect()
}

fn of_threads(pid: i32, files: &[&str]) -> Vec<(String, Told)> {
    let threads = proc::thread_ids(pid).unwrap_or_default();
    let threads = threads.into_iter().take(MOST_THREADS);
    let all = threads.flat_map(|tid| {
        files.iter().map(move |file| {
            (
                format!("task/{tid}/{file}"),
                of_task(Task { pid, tid }, file),
            )
        })
    });
    all.collect()
}

/// What is kept of a process so far.
pub struct Gathered {
    task: Task,
    packer: Packer,
    /// The descriptors, and what they lead to.
    fds: Vec<(i32, Vec<u8>)>,
    /// What stat(2) says of the first ones of them.
    opened: Vec<(i32, Opened)>,
    /// What /proc says of them.
    told: Vec<(i32, Told)>,
}

impl Gathered {
    /// Reads what must fit the memory of a live process, which is best stopped, but for its
    /// descriptors. `None` for what is no live process.
    pub fn of(target: &Target, before: Option<&Before>) -> Option<Gathered> {
        let Origin::Live(pid) = target.origin else {
            return None;
        };
        let task = Task::of(pid);
        let moment = clocks::moment(pid);
        let mut packer = Packer::new(moment.realtime.as_secs());
        packer.text(names::ABOUT, &moment.lines());
        let late = before.is_none().then(|| Before::too_late(pid));
        let before = before.or(late.as_ref())?;
        // It is told anew where the process has mapped something since.
        let known = before.in_ram.as_ref();
        match known.filter(|known| known.mappings == target.mappings) {
            Some(in_ram) => in_ram.pack(&mut packer),
            None => match InRam::stopped(task, target) {
                Ok(in_ram) => in_ram.pack(&mut packer),
                Err(why) => packer.leave_out("smaps", &why),
            },
        }
        let Before {
            process, threads, ..
        } = before;
        for (name, content) in process {
            packer.file(name, content);
        }
        for name in OF_PROCESS {
            packer.file(name, &of_task(task, name));
        }
        for name in LINKS {
            match fs::read_link(task.path(name)) {
                Ok(link) => packer.link(name, link.as_os_str().as_bytes()),
                Err(error) => packer.leave_out(name, &error.to_string()),
            }
        }
        packer.text(names::THREADS, &states(target));
        for (name, content) in threads {
            packer.file(name, content);
        }
        Some(Gathered {
            task,
            packer,
            fds: Vec::new(),
            opened: Vec::new(),
            told: Vec::new(),
        })
    }

    /// Reads which descriptors there are, and looks at the first ones.
    pub fn read_descriptors(&mut self) {
        self.fds = links(&mut self.packer, self.task);
        self.look_at_descriptors(Some(PATIENCE_STOPPED));
    }

    /// Looks at the descriptors that were not looked at yet.
    fn look_at_descriptors(&mut self, patience: Option<Duration>) {
        let start = Instant::now();
        for (fd, _) in self.fds.iter().skip(self.told.len()) {
            if patience.is_some_and(|patience| start.elapsed() > patience) {
                return;
            }
            if let Ok(file) = fs::metadata(self.task.path(&format!("fd/{fd}"))) {
                self.opened.push((*fd, Opened::of(&file)));
            }
            let told = of_task(self.task, &format!("fdinfo/{fd}"));
            self.told.push((*fd, told));
        }
    }

    /// Reads the rest, for which the process need not be stopped, and packs all: the content of the
    /// note. What cannot be read is left out, and said to be missing. The command line is left out if
    /// the note shall tell no data.
    pub fn content(mut self, blank: bool) -> Vec<u8> {
        match blank {
            true => self.packer.leave_out("cmdline", "blanked"),
            false => self.packer.file("cmdline", &of_task(self.task, "cmdline")),
        }
        self.look_at_descriptors(None);
        let opened: String = (self.opened.iter())
            .map(|(fd, opened)| opened.line(*fd))
            .collect();
        self.packer.text(names::OPENED, &opened);
        self.sockets();
        self.locks();
        let files = ProcFiles::Live(self.task);
        let children: String = files.children().iter().map(Child::line).collect();
        self.packer.text(names::CHILDREN, &children);
        if let Some(sharing) = Sharing::of(&files) {
            self.packer.text(names::SHARERS, &sharing.lines());
        }
        // The most of what there may be comes last.
        for (fd, link) in &self.fds {
            self.packer.link(&format!("fd/{fd}"), link);
        }
        for (fd, told) in &self.told {
            self.packer.file(&format!("fdinfo/{fd}"), told);
        }
        self.packer.finish()
    }

    /// The lines of /proc/PID/net that are of sockets of the process.
    fn sockets(&mut self) {
        let inodes = self.fds.iter().filter_map(|(_, link)| {
            let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
            std::str::from_utf8(number).ok()?.parse().ok()
        });
        let inodes: FxHashSet<u64> = inodes.collect();
        if inodes.is_empty() {
            return;
        }
        for (name, content) in sockets::lines_of(self.task, &inodes) {
            self.packer
                .file(&name, &content.map_err(|error| error.to_string()));
        }
    }

    /// The locks on files that the process has open, and who holds them.
    fn locks(&mut self) {
        let text = match read("/proc/locks", MOST_FILE) {
            Ok(text) => text,
            Err(why) => return self.packer.leave_out(names::LOCKS, &why),
        };
        let ino = |told: &Told| {
            let text = String::from_utf8_lossy(told.as_ref().ok()?).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix("ino:"));
            line?.trim().parse().ok()
        };
        // What stat(2) says of a file may be another number than the lock's.
        let told = self.told.iter().filter_map(|(_, told)| ino(told));
        let opened = self.opened.iter().map(|(_, opened)| opened.inode);
        let inodes: FxHashSet<u64> = told.chain(opened).collect();
        let kept = file_locks::of_files(&text, &inodes);
        let told = self.told.iter().filter_map(|(_, told)| told.as_ref().ok());
        let own: Vec<FileLock> = told
            .flat_map(|text| file_locks::of_descriptor(text))
            .collect();
        let held: Vec<FileLock> = file_locks::parse(kept.as_bytes());
        let foreign = held.iter().enumerate();
        let foreign = foreign.filter(|(_, lock)| !own.contains(lock));
        let foreign: Vec<(usize, FileLock)> = foreign
            .map(|(at, lock)| (at, lock.clone()))
            .take(MOST_ASKED)
            .collect();
        let mut lines = String::new();
        if !foreign.is_empty() {
            let asked: Vec<FileLock> = foreign.iter().map(|(_, lock)| lock.clone()).collect();
            let found = file_locks::who_has(&asked, Some(PATIENCE_OTHERS));
            for ((at, _), holders) in foreign.iter().zip(&found) {
                lines.extend(holders.iter().map(|holder| holder.line(*at)));
            }
        }
        self.packer.text(names::LOCKS, &kept);
        self.packer.text(names::LOCK_HOLDERS, &lines);
    }
}

/// The threads as they were before the stop.
fn states(target: &Target) -> String {
    let threads = target.threads.iter().take(MOST_THREADS);
    let line = |thread: &crate::target::TargetThread| {
        let registers = thread.registers.as_ref();
        let known =
            |registers: &crate::target::Registers| registers.general.iter().all(Option::is_some);
        let state = ThreadState {
            tid: thread.tid,
            own: thread.own_id(),
            state: thread.state,
            whole: registers.is_none_or(known),
        };
        state.line()
    };
    threads.map(line).collect()
}

/// Where all descriptors lead to.
fn links(packer: &mut Packer, task: Task) -> Vec<(i32, Vec<u8>)> {
    let folder = task.path("fd");
    let numbers = match fs::read_dir(&folder) {
        Ok(numbers) => proc::numbered(numbers).take(MOST_FDS),
        Err(error) => {
            packer.leave_out("fd", &error.to_string());
            return Vec::new();
        }
    };
    let link = |fd: i32| {
        let link = fs::read_link(folder.join(fd.to_string())).ok()?;
        Some((fd, link.into_os_string().into_encoded_bytes()))
    };
    let mut links: Vec<(i32, Vec<u8>)> = numbers.filter_map(link).collect();
    links.sort_unstable();
    links
}

fn of_task(task: Task, name: &str) -> Told {
    let content = task.read_at_most(name, MOST_FILE);
    content.map_err(|error| error.to_string())
}

fn read(path: &str, most: u64) -> Told {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}
