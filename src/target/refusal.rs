//! Why a process cannot be attached to: the one cause, and the fix. The order of the questions is
//! that of the kernel: a seccomp filter, then `ptrace_attach` and `__ptrace_may_access` (Linux
//! kernel/ptrace.c), then the security modules (security/commoncap.c, security/yama).

use super::proc::{self, Task};
use super::ptrace;
use crate::escape;
use nix::errno::Errno;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The capability that overrides the rules (include/uapi/linux/capability.h).
const CAP_SYS_PTRACE: u32 = 19;

/// The range of ids that the first user namespace maps: all.
const WHOLE_RANGE: &str = "4294967295";

/// What is known about the two processes.
#[derive(Clone, Debug, Default)]
struct Facts {
    errno: i32,
    exists: bool,
    is_pydbg: bool,
    zombie_of: Option<i32>,
    kernel_thread: bool,
    /// Who traces it, and that process's name.
    tracer: Option<(u32, String)>,
    /// A system call filter answers for the kernel.
    filtered: bool,
    our_uid: u32,
    their_uid: u32,
    /// All its user ids are our one.
    same_user: bool,
    /// Its files in /proc are its user's. They are root's when its memory is protected.
    dumpable: bool,
    /// pydbg has CAP_SYS_PTRACE, in its own user namespace.
    capable: bool,
    /// It has capabilities that pydbg has not.
    stronger: bool,
    /// pydbg runs in a user namespace other than the machine's first.
    in_user_namespace: bool,
    yama: Option<u8>,
    /// pydbg's own label of a security module, if it confines it.
    label: Option<String>,
}

/// One sentence: why `pid` cannot be attached to (or read, when `no_stop`), and what to do.
pub(super) fn explain(pid: i32, errno: Errno, no_stop: bool) -> String {
    let mut facts = Facts::gather(pid, errno);
    if no_stop {
        // These bar the way for ptrace only.
        facts.filtered = false;
        facts.tracer = None;
    }
    facts.cause()
}

impl Facts {
    fn gather(pid: i32, errno: Errno) -> Facts {
        let ours = Task::leader(std::process::id() as i32);
        let theirs = Task::leader(proc::process_of(pid).unwrap_or(pid));
        let stat = theirs.stat();
        let our_uid = ours.status_number("Uid", 1).unwrap_or_default();
        let uids = theirs.status("Uid").unwrap_or_default();
        let their_uid = theirs.status_number("Uid", 1).unwrap_or_default();
        // The folder itself shows the process's user in any case; its files do not.
        let owner = fs::metadata(theirs.path("stat")).ok();
        let effective = capabilities(ours, "CapEff");
        let permitted = capabilities(theirs, "CapPrm");
        Facts {
            errno: errno as i32,
            exists: stat.is_some(),
            is_pydbg: theirs.pid == ours.pid,
            zombie_of: stat.as_ref().filter(|s| s.ended()).map(|s| s.ppid),
            kernel_thread: stat.is_some_and(|stat| stat.kernel),
            tracer: tracer(theirs),
            filtered: ptrace::forbidden().is_some(),
            our_uid,
            their_uid,
            same_user: uids.iter().take(3).all(|uid| *uid == our_uid.to_string()),
            dumpable: owner.is_none_or(|owner| owner.uid() == their_uid),
            capable: effective >> CAP_SYS_PTRACE & 1 == 1,
            stronger: permitted & !capabilities(ours, "CapPrm") != 0,
            in_user_namespace: fs::read_to_string("/proc/self/uid_map")
                .is_ok_and(|map| !map.contains(WHOLE_RANGE)),
            yama: fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
                .ok()
                .and_then(|text| text.trim().parse().ok()),
            label: label(),
        }
    }

    fn cause(&self) -> String {
        if !self.exists {
            return "there is no such process (or /proc hides those of other users; then run \
                    pydbg as root)"
                .into();
        }
        if self.is_pydbg {
            return "that is pydbg itself".into();
        }
        if let Some(parent) = self.zombie_of {
            return format!(
                "the process has ended; it is a zombie until its parent {parent} takes note of it"
            );
        }
        if self.kernel_thread {
            return "that is a thread of the kernel, which has no memory of its own".into();
        }
        if let Some((tracer, name)) = &self.tracer {
            return format!(
                "process {tracer} ({name}) traces it already, and only one can; detach that one, \
                 or read without stopping (--no-stop)"
            );
        }
        if self.filtered {
            return "a seccomp filter forbids ptrace to pydbg; start the container with \
                    --cap-add=SYS_PTRACE (Docker, Podman) or allow ptrace in its profile, or try \
                    reading without stopping (--no-stop)"
                .into();
        }
        match Errno::from_raw(self.errno) {
            Errno::EPERM | Errno::EACCES => self.permission(),
            Errno::ESRCH => "the process has just ended".into(),
            errno => format!("the kernel says: {}", errno.desc()),
        }
    }

    fn permission(&self) -> String {
        if !self.capable {
            let fix = self.fix();
            if !self.same_user {
                return format!(
                    "it runs as user {} and pydbg as user {}; {fix}",
                    self.their_uid, self.our_uid
                );
            }
            if !self.dumpable {
                return format!(
                    "it is protected (not dumpable: a setuid program, one with file \
                     capabilities, or PR_SET_DUMPABLE); {fix}"
                );
            }
            if self.stronger {
                return format!("it has capabilities that pydbg has not; {fix}");
            }
            match self.yama {
                Some(1) => {
                    return format!(
                        "kernel.yama.ptrace_scope is 1, so that only a parent may trace; {fix}, \
                         or set it to 0 (sysctl -w kernel.yama.ptrace_scope=0)"
                    );
                }
                Some(2) => {
                    return format!(
                        "kernel.yama.ptrace_scope is 2, so that only root may trace; {fix}"
                    );
                }
                _ => {}
            }
        }
        if self.yama == Some(3) {
            return "kernel.yama.ptrace_scope is 3: nobody may trace until the next boot; write a \
                    core instead (kill -ABRT, or the kernel's core_pattern)"
                .into();
        }
        if self.in_user_namespace {
            return "pydbg runs in a user namespace, where its rights end; run it outside, or in \
                    the user namespace of the process (nsenter --user --preserve-credentials)"
                .into();
        }
        match &self.label {
            Some(label) => format!(
                "the security module that confines pydbg ({label}) forbids it; run pydbg unconfined"
            ),
            None => "the kernel does not permit it and does not say why; run pydbg as root, \
                     outside of containers"
                .into(),
        }
    }

    /// What gives pydbg the right.
    fn fix(&self) -> &'static str {
        if self.our_uid == 0 {
            "root here has no CAP_SYS_PTRACE, so start the container with --cap-add=SYS_PTRACE"
        } else {
            "run pydbg as root (sudo)"
        }
    }
}

/// A set of capabilities, from its hex digits in status.
fn capabilities(task: Task, key: &str) -> u64 {
    let text = task.status(key).unwrap_or_default();
    text.first()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .unwrap_or_default()
}

/// Who traces a process.
fn tracer(task: Task) -> Option<(u32, String)> {
    let tid = task.status_number("TracerPid", 0).filter(|tid| *tid != 0)?;
    // It is the id of the thread that traces.
    let thread = i32::try_from(tid).ok();
    let process = thread.and_then(proc::process_of);
    let pid = process
        .and_then(|pid| u32::try_from(pid).ok())
        .unwrap_or(tid);
    let stat = process.and_then(|pid| Task::leader(pid).stat());
    let name = stat.map_or_else(|| "unknown".into(), |stat| stat.name);
    Some((pid, escape::escape(&name).into_owned()))
}

/// pydbg's label under AppArmor or SELinux, unless it is unconfined.
fn label() -> Option<String> {
    let text = fs::read_to_string("/proc/self/attr/current").ok()?;
    let label = text.trim_end_matches(['\0', '\n']);
    let free =
        label.is_empty() || label.starts_with("unconfined") || label.contains("unconfined_t");
    (!free).then(|| escape::escape(label).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of the same user that nothing protects.
    fn plain() -> Facts {
        Facts {
            errno: libc::EPERM,
            exists: true,
            our_uid: 1000,
            their_uid: 1000,
            same_user: true,
            dumpable: true,
            ..Facts::default()
        }
    }

    #[test]
    fn each_cause_is_named_alone() {
        let gone = Facts::default();
        let tracer = Some((7, "strace".to_owned()));
        let root = Facts {
            our_uid: 0,
            their_uid: 33,
            same_user: false,
            ..plain()
        };
        let cases = [
            (gone, "no such process"),
            (
                Facts {
                    is_pydbg: true,
                    ..plain()
                },
                "pydbg itself",
            ),
            (
                Facts {
                    zombie_of: Some(4),
                    ..plain()
                },
                "its parent 4",
            ),
            (
                Facts {
                    kernel_thread: true,
                    ..plain()
                },
                "thread of the kernel",
            ),
            (
                Facts {
                    tracer,
                    yama: Some(1),
                    ..plain()
                },
                "process 7 (strace)",
            ),
            (
                Facts {
                    filtered: true,
                    ..plain()
                },
                "seccomp",
            ),
            (
                Facts {
                    same_user: false,
                    their_uid: 0,
                    yama: Some(1),
                    ..plain()
                },
                "runs as user 0",
            ),
            (
                Facts {
                    dumpable: false,
                    yama: Some(1),
                    ..plain()
                },
                "not dumpable",
            ),
            (
                Facts {
                    stronger: true,
                    yama: Some(1),
                    ..plain()
                },
                "has capabilities",
            ),
            (
                Facts {
                    yama: Some(1),
                    ..plain()
                },
                "ptrace_scope is 1",
            ),
            (
                Facts {
                    yama: Some(2),
                    ..plain()
                },
                "ptrace_scope is 2",
            ),
            (
                Facts {
                    yama: Some(3),
                    capable: true,
                    ..plain()
                },
                "ptrace_scope is 3",
            ),
            (
                Facts {
                    in_user_namespace: true,
                    capable: true,
                    ..plain()
                },
                "user namespace",
            ),
            (
                Facts {
                    label: Some("docker-default".into()),
                    ..plain()
                },
                "(docker-default)",
            ),
            (root, "--cap-add=SYS_PTRACE"),
            (
                Facts {
                    errno: libc::ESRCH,
                    ..plain()
                },
                "just ended",
            ),
            (
                Facts {
                    errno: libc::EMFILE,
                    ..plain()
                },
                "the kernel says",
            ),
            (plain(), "does not say why"),
        ];
        for (facts, words) in cases {
            let cause = facts.cause();
            assert!(cause.contains(words), "{words}: {cause}");
        }
    }

    #[test]
    fn processes_that_nobody_can_attach_to() {
        assert!(explain(i32::MAX, Errno::ESRCH, false).contains("no such process"));
        let own = std::process::id() as i32;
        assert!(explain(own, Errno::EPERM, false).contains("pydbg itself"));
    }
}
