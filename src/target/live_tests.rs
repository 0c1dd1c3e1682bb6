//! Attaching to real processes: fixtures/live.c in each of its shapes, which are children of the
//! test and so may be traced by any user.

#![allow(unsafe_code)]

use super::live::{attach, glimpse, rehearse};
use super::minding::minds_a_stop;
use super::proc::{self, Task};
use super::{Fault, OpenError, Options, Target, Why};
use crate::addr::Addr;
use crate::diag::Severity;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustc_hash::FxHashSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long anything may take that is only waited for; generous, because machines are shared.
const LONGEST: Duration = Duration::from_secs(20);

/// One fixture that runs; it and its children are killed at the end.
struct Fixture {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Fixture {
    fn start(words: &[&str]) -> Fixture {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| {
            let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/live.c");
            let program = std::env::current_exe()
                .unwrap()
                .with_file_name("live-fixture");
            let mut compiler = Command::new("cc");
            let compiler = compiler.args(["-O1", "-pthread", source, "-o"]);
            assert!(compiler.arg(&program).status().unwrap().success());
            program
        });
        let mut command = Command::new(program);
        let command = command.args(words).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut fixture = Fixture { child, output };
        if words[0] != "counter" {
            assert_eq!(fixture.line(), "ready");
        }
        fixture
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn attach(&self) -> Target {
        attach(self.pid(), &Options::default()).unwrap()
    }

    /// Attaches in less than `limit`, at the latest the fifth time: on a busy machine others may
    /// hold it up.
    fn attach_within(&self, limit: Duration) -> Target {
        let attach = || {
            let start = Instant::now();
            let target = self.attach();
            (start.elapsed() < limit).then_some(target)
        };
        let mut tries = (0..5).map(|_| attach());
        tries.find_map(|target| target).expect("five slow attaches")
    }

    fn attach_without_stop(&self) -> Target {
        let options = Options {
            no_stop: true,
            ..Options::default()
        };
        attach(self.pid(), &options).unwrap()
    }

    /// The state letters of all threads.
    fn states(&self) -> String {
        let pid = self.pid();
        let states = proc::thread_ids(pid).unwrap().into_iter();
        states
            .filter_map(|tid| Some(Task { pid, tid }.stat()?.state))
            .collect()
    }

    /// Waits until the states are as wanted.
    fn settle(&self, wanted: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !wanted(&self.states()) {
            let states = self.states();
            assert!(start.elapsed() < LONGEST, "{states}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(-self.pid()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn partial_notes(target: &Target) -> Vec<String> {
    let notes = target.notes.all().into_iter();
    notes
        .filter(|note| note.severity == Severity::Partial)
        .map(|note| note.text)
        .collect()
}

fn refusal(pid: i32) -> String {
    match attach(pid, &Options::default()) {
        Ok(_) => panic!("it attached"),
        Err(OpenError::Attach { why, .. }) => why,
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_stopped_process_is_whole() {
    let fixture = Fixture::start(&["threads", "30"]);
    fixture.settle(|states| states == "S".repeat(31));
    let target = fixture.attach();
    assert_eq!(fixture.states(), "t".repeat(31));
    assert_eq!(partial_notes(&target), [""; 0]);
    assert_eq!(target.threads.len(), 31);
    assert_eq!(target.threads[0].tid, fixture.pid());
    for thread in &target.threads {
        let registers = thread.registers.unwrap();
        let mapped = |addr: Option<Addr>| target.mapping(addr.unwrap()).unwrap().clone();
        assert!(mapped(registers.pc()).execute);
        assert!(mapped(registers.sp()).write);
        assert!(registers.thread_pointer.is_some());
        assert_eq!(thread.state, Some('S'));
        assert_eq!(thread.own_id(), thread.tid);
    }
    let futex = target.threads[30].registers.unwrap().syscall;
    assert_eq!(futex, Some(libc::SYS_futex));
    let process = &target.process;
    assert_eq!(process.ppid, Some(std::process::id() as i32));
    assert_eq!(process.args[1..], ["threads", "30"]);
    let exe = process.exe.clone().unwrap();
    let image = target
        .mappings
        .iter()
        .find(|m| m.file() == Some(exe.as_str()));
    let start = image.unwrap().start;
    assert_eq!(target.memory.array(start), Ok(*b"\x7fELF"));
    assert!(target.aux(libc::AT_ENTRY).is_some());
    let live = target.live().unwrap();
    assert!(live.is_stopped());
    target.resume();
    assert!(!live.is_stopped());
    let stopped = live.stopped_for();
    assert!(stopped < LONGEST);
    fixture.settle(|states| states == "S".repeat(31));
    assert_eq!(live.stopped_for(), stopped, "it ended with the release");
}

#[test]
fn what_was_read_while_it_was_stopped_stays() {
    let mut fixture = Fixture::start(&["counter"]);
    let address = fixture.line();
    let address = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap();
    let counter = Addr(address);
    let far = counter.add(16 << 10);
    let target = fixture.attach();
    let first = target.memory.u64(counter).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    let lent = target.memory.borrow(counter, 8).unwrap();
    assert_eq!(lent, first.to_le_bytes());
    target.resume();
    let running = fixture.attach_without_stop();
    assert!(running.memory.borrow(counter, 8).is_none());
    let start = Instant::now();
    while running.memory.u64(counter).unwrap() < first + 1000 {
        assert!(start.elapsed() < LONGEST);
    }
    assert_eq!(lent, first.to_le_bytes(), "the page that was lent");
    assert_eq!(target.memory.u64(counter), Ok(first), "read again");
    assert!(target.memory.borrow(far, 8).is_none());
    let _ = target.memory.u8(far);

    let again = target.live().unwrap().again().unwrap();
    assert!(again.memory.u64(counter).unwrap() > first);
    assert!(again.live().unwrap().is_stopped());
}

#[test]
fn a_glimpse_keeps_what_was_copied_and_lets_go() {
    let mut fixture = Fixture::start(&["counter"]);
    let address = fixture.line();
    let counter = Addr(u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap());
    let (options, none) = (Options::default(), FxHashSet::default());
    let before = rehearse(fixture.pid(), &options).unwrap();
    assert!(before.memory.u64(counter).is_ok());
    let wanted = before.live().unwrap().kept();
    assert!(
        wanted
            .iter()
            .any(|&(at, len)| at <= counter && counter < at.add(len as u64))
    );
    // The second time the mappings have changed since room was made for them.
    let mut mappings = before.mappings.clone();
    for changed in [false, true] {
        let states = || {
            proc::thread_ids(fixture.pid())
                .map(|_| fixture.states())
                .unwrap()
        };
        let target = glimpse(
            fixture.pid(),
            &options,
            &mappings,
            &wanted,
            &none,
            |target| {
                assert_eq!(states(), "t");
                assert!(target.live().unwrap().is_stopped());
                target.memory.prefetch(&wanted);
            },
        )
        .unwrap();
        assert!(!target.live().unwrap().is_stopped());
        let kept = target.memory.u64(counter).unwrap();
        let running = fixture.attach_without_stop();
        let start = Instant::now();
        while running.memory.u64(counter).unwrap() < kept + 1000 {
            assert!(start.elapsed() < LONGEST, "it runs on");
        }
        assert_eq!(target.memory.u64(counter), Ok(kept), "changed: {changed}");
        assert_eq!(target.live().unwrap().missed(), 0);
        for mapping in &mut mappings {
            mapping.end = Addr(mapping.end.0 + 4096);
        }
    }
}

#[test]
fn who_does_not_matter_and_minds_a_stop_is_spared() {
    let mut fixture = Fixture::start(&["epoll"]);
    fixture.settle(|states| states == "SS");
    let options = Options::default();
    let tids = proc::thread_ids(fixture.pid()).unwrap();
    // It is the main thread that waits in epoll_wait().
    for (strangers, states, eintr) in [(&tids[1..], "tt", "1"), (&tids[..], "St", "0")] {
        // It takes a moment until it waits again after its last answer.
        let main = Task::leader(fixture.pid());
        fixture.settle(|states| states == "SS" && minds_a_stop(main));
        let strangers = strangers.iter().copied().collect();
        let target = glimpse(fixture.pid(), &options, &[], &[], &strangers, |_| {
            assert_eq!(fixture.states(), states);
        });
        let target = target.unwrap();
        assert_eq!(target.threads.len(), 2);
        assert!(target.threads[0].registers.unwrap().sp().is_some());
        assert_eq!(
            target.live().unwrap().spared().len(),
            states.matches('S').count()
        );
        fixture.settle(|states| states == "SS");
        fixture.signal(Signal::SIGUSR1);
        assert_eq!(fixture.line(), eintr);
    }
}

#[test]
fn a_failure_during_a_glimpse_lets_the_process_go_on() {
    let fixture = Fixture::start(&["threads", "3"]);
    fixture.settle(|states| states == "SSSS");
    let (options, none) = (Options::default(), FxHashSet::default());
    let fail = || {
        glimpse(fixture.pid(), &options, &[], &[], &none, |_| {
            assert_eq!(fixture.states(), "tttt");
            panic!("in the middle");
        })
    };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(fail)).is_err());
    fixture.settle(|states| states == "SSSS");
}

#[test]
fn what_cannot_be_read_says_why() {
    let fixture = Fixture::start(&["threads", "1"]);
    let target = fixture.attach();
    let fault = |addr: Addr| target.memory.u8(addr).unwrap_err().why;
    assert_eq!(fault(Addr::NULL), Why::Unmapped);
    assert_eq!(fault(Addr(u64::MAX)), Why::Unmapped);
    let guard = target.mappings.iter().find(|m| !m.read).unwrap();
    assert_eq!(fault(guard.start), Why::Refused(libc::EFAULT));
    // A read is whole or not at all, and names the first byte that fails.
    let stack = target.mapping(guard.end).unwrap();
    let before = stack.end.sub(4);
    if target.mapping(stack.end).is_none_or(|next| !next.read) {
        let fault = target.memory.array::<8>(before).unwrap_err();
        assert_eq!(fault.addr, stack.end);
    }
    let everything: Vec<_> = target.mappings.iter().map(|m| (m.start, 1 << 20)).collect();
    target.memory.prefetch(&everything);
    target
        .memory
        .prefetch(&[(Addr::NULL, usize::MAX), (Addr(u64::MAX), usize::MAX)]);
    target.resume();
    for mapping in target.mappings.iter().filter(|m| m.read) {
        let pages = (0..mapping.len().min(1 << 20)).step_by(4096);
        let mut pages = pages.map(|offset| mapping.start.add(offset));
        let kept = pages.all(|page| target.memory.borrow(page, 4096).is_some());
        let special = mapping.path.as_deref().is_some_and(|p| p.starts_with("[v"));
        assert!(kept || special, "{mapping:?}");
    }
    let unmapped = target.memory.u8(Addr::NULL);
    let why = Why::Unmapped;
    let addr = Addr::NULL;
    assert_eq!(unmapped, Err(Fault { addr, why }));
}

#[test]
fn a_process_that_was_stopped_stays_stopped() {
    let fixture = Fixture::start(&["threads", "2"]);
    fixture.signal(Signal::SIGSTOP);
    fixture.settle(|states| states == "TTT");
    let target = fixture.attach();
    assert!(target.threads.iter().all(|t| t.registers.is_some()));
    drop(target);
    fixture.settle(|states| states == "TTT");
    fixture.signal(Signal::SIGCONT);
    fixture.settle(|states| states == "SSS");
}

#[test]
fn a_parent_in_vfork_does_not_hold_up_the_rest() {
    let mut fixture = Fixture::start(&["vfork"]);
    fixture.settle(|states| states == "DS");
    let target = fixture.attach_within(Duration::from_secs(1));
    assert_eq!(partial_notes(&target).len(), 1);
    let [parent, other] = &target.threads[..] else {
        panic!("{:?}", target.threads);
    };
    assert_eq!(parent.state, Some('D'));
    let known = parent.registers.unwrap();
    assert!(known.pc().is_some() && known.fp().is_none());
    assert!(other.registers.unwrap().fp().is_some());
    let there = target.memory.u64(known.sp().unwrap());
    assert!(there.is_ok());
    // The child ends, so that the parent stops now, late; it must go on at the release. That
    // comes from another thread than the one that attached.
    let child = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .find(|&pid| {
            Task::leader(pid)
                .stat()
                .is_some_and(|s| s.ppid == fixture.pid())
        });
    kill(Pid::from_raw(child.unwrap()), Signal::SIGKILL).unwrap();
    fixture.settle(|states| states == "tt");
    std::thread::spawn(move || drop(target)).join().unwrap();
    assert_eq!(fixture.child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_process_goes_on_without_its_main_thread() {
    let fixture = Fixture::start(&["leaderless"]);
    fixture.settle(|states| states == "ZSS");
    let target = fixture.attach_within(Duration::from_millis(500));
    assert_eq!(target.threads[0].state, Some('Z'));
    assert!(target.threads[0].registers.is_none());
    assert!(target.threads[1..].iter().all(|t| t.registers.is_some()));
    assert_eq!(target.threads.len(), 3);
    assert!(target.process.exe.is_some());
    let start = target.mappings[0].start;
    assert_eq!(target.memory.array(start), Ok(*b"\x7fELF"));
    drop(target);
    fixture.settle(|states| states == "ZSS");
}

#[test]
fn threads_that_come_and_go_are_all_stopped() {
    let fixture = Fixture::start(&["churn"]);
    for _ in 0..20 {
        let target = fixture.attach();
        assert!(target.threads.iter().all(|t| t.registers.is_some()));
        assert!(fixture.states().chars().all(|state| state == 't'));
    }
}

#[test]
fn signals_that_come_during_the_stop_arrive() {
    let mut fixture = Fixture::start(&["signals"]);
    let mut sent = 0;
    let mut queue = |fixture: &Fixture| {
        let value = libc::sigval {
            sival_ptr: std::ptr::null_mut(),
        };
        // SAFETY: sigqueue reads none of our memory, and the process is our own child.
        let result = unsafe { libc::sigqueue(fixture.pid(), libc::SIGRTMIN() + 3, value) };
        assert_eq!(result, 0);
        sent += 1;
    };
    for _ in 0..20 {
        queue(&fixture);
        let target = fixture.attach();
        queue(&fixture);
        drop(target);
    }
    fixture.signal(Signal::SIGUSR1);
    assert_eq!(fixture.line(), sent.to_string());
}

/// The environment variable that makes [`hold_for_a_parent`] attach.
const HOLD: &str = "PYDBG_TEST_HOLD";

/// Not a test of its own: what the next test starts and kills.
#[test]
fn hold_for_a_parent() {
    if let Ok(pid) = std::env::var(HOLD) {
        let _target = attach(pid.parse().unwrap(), &Options::default());
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn killing_the_debugger_lets_the_process_go_on() {
    let fixture = Fixture::start(&["threads", "5"]);
    for pause in [2, 4, 6, 8, 10, 20, 40] {
        let mut debugger = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "target::live_tests::hold_for_a_parent"])
            .env(HOLD, fixture.pid().to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        debugger.kill().unwrap();
        debugger.wait().unwrap();
        fixture.settle(|states| states == "SSSSSS");
    }
}

#[test]
fn without_a_stop_blocked_threads_have_some_registers() {
    let fixture = Fixture::start(&["threads", "2"]);
    fixture.settle(|states| states == "SSS");
    let target = fixture.attach_without_stop();
    assert!(!target.live().unwrap().is_stopped());
    assert_eq!(partial_notes(&target).len(), 1);
    for thread in &target.threads[1..] {
        let registers = thread.registers.unwrap();
        assert_eq!(registers.syscall, Some(libc::SYS_futex));
        let word = Addr(registers.syscall_arg(0).unwrap());
        assert_eq!(target.memory.u32(word), Ok(2), "a lock with waiters");
        assert!(target.mapping(registers.sp().unwrap()).is_some());
        assert_eq!(registers.fp(), None);
    }
    assert_eq!(target.live().unwrap().stopped_for(), Duration::ZERO);
}

#[test]
fn refusals_name_their_cause() {
    let fixture = Fixture::start(&["threads", "1"]);
    let target = fixture.attach();
    let why = refusal(fixture.pid());
    assert!(why.contains("traces it already"), "{why}");
    drop(target);
    drop(fixture.attach());

    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id() as i32;
    while Task::leader(pid).stat().is_some_and(|stat| !stat.ended()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let why = refusal(pid);
    assert!(why.contains("zombie"), "{why}");
    assert!(child.wait().unwrap().success(), "its end was not taken");
    assert!(refusal(pid).contains("no such process"));
    assert!(refusal(std::process::id() as i32).contains("pydbg itself"));
    assert!(refusal(2).contains("thread of the kernel") || refusal(2).contains("no such"));
    assert!(refusal(0).contains("no such") && refusal(-1).contains("no such"));
}

#[test]
fn any_thread_stands_for_its_process() {
    let fixture = Fixture::start(&["threads", "2"]);
    let tid = *proc::thread_ids(fixture.pid()).unwrap().last().unwrap();
    let target = attach(tid, &Options::default()).unwrap();
    assert_eq!(target.process.pid, fixture.pid());
    assert_eq!(target.threads.len(), 3);
    assert_eq!(target.notes.len(), 1);
}

#[test]
fn a_process_may_be_killed_while_it_is_held() {
    let mut fixture = Fixture::start(&["threads", "3"]);
    let target = fixture.attach();
    let sp = target.threads[1].registers.unwrap().sp().unwrap();
    let kept = target.memory.u64(sp);
    assert!(kept.is_ok());
    fixture.signal(Signal::SIGKILL);
    assert_eq!(target.memory.u64(sp), kept);
    // Its parent need not wait for pydbg to let go.
    let status = fixture.child.wait().unwrap();
    assert!(!target.live().unwrap().is_stopped());
    assert_eq!(
        status.signal(),
        Some(libc::SIGKILL),
        "its parent learns of it"
    );
    let elsewhere = target.mappings.iter().find(|m| m.read).unwrap().start;
    let gone = target.memory.u8(elsewhere).unwrap_err();
    assert_eq!(gone.why, Why::Refused(libc::ESRCH));
    assert!(target.live().unwrap().again().is_err());
}
