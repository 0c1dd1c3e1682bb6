//! From the command line to the exit status: settings, `~/.pydbgrc`, the target, the commands
//! given, then the prompt.

use super::args::{self, Args, Invocation, Opening};
use super::command::{Command, Report};
use super::console::{Console, Job};
use super::demo::{Demo, Opened};
use super::dump;
use super::out::complain;
use super::progress;
use super::repl;
use super::session::Session;
use super::status::Status;
use pydbg::dump::DumpError;
use pydbg::target::debuginfod::Servers;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs the program.
pub fn main(commands: &'static [Command]) -> ExitCode {
    let mut invocation = match args::parse(std::env::args_os()) {
        Ok(invocation) => invocation,
        Err(error) => {
            // Help and version come this way too; nobody is left to tell if printing fails.
            _ = error.print();
            let wrong = if error.use_stderr() {
                Status::Usage
            } else {
                Status::Whole
            };
            return wrong.code();
        }
    };
    let mut session = Session::new(commands);
    let mut console = match Console::new(&mut session) {
        Ok(console) => console,
        Err(error) => {
            complain(&format!("cannot watch for Ctrl-C: {error}"));
            return Status::Failed.code();
        }
    };
    session.json = invocation.args.json;
    session.interactive = !invocation.args.batch && console.terminal.input;
    if let Err(why) = settings(&mut session, &invocation.args) {
        complain(&why);
        return Status::Usage.code();
    }
    // The demo's process and its core live as long as the session.
    let _demo = match demo(&mut invocation) {
        Ok(demo) => demo,
        Err(error) => {
            complain(&format!("demo: {error:#}"));
            return Status::Failed.code();
        }
    };
    run(&mut session, &mut console, &invocation);
    if !session.quit
        && !console.closed
        && !invocation.args.batch
        && console.status < Status::Unreadable
    {
        repl::run(session, console)
    } else {
        console.status.code()
    }
}

/// Makes the demo's process if it is asked for, and opens that; without commands of the user's, the
/// ones that show most are run.
fn demo(invocation: &mut Invocation) -> anyhow::Result<Option<Demo>> {
    if invocation.opening != Some(Opening::Demo) {
        return Ok(None);
    }
    let demo = Demo::make()?;
    if !invocation.args.quiet && !invocation.args.json {
        eprintln!("Started a python3 that deadlocks; {}.", demo.story);
    }
    invocation.opening = Some(match &demo.opened {
        Opened::Core(core) => Opening::Core(core.clone(), None),
        Opened::Live(pid) => Opening::Live(*pid, None),
    });
    if invocation.lines.is_empty() {
        invocation.lines = ["locks", "info threads", "py-bt all", "bt 12"]
            .map(String::from)
            .into();
    }
    Ok(Some(demo))
}

/// What the command line says about where files are.
fn settings(session: &mut Session, args: &Args) -> Result<(), String> {
    session.options.no_stop = args.no_stop;
    session.options.scratch =
        (args.scratch.clone()).or(std::env::var_os("TMPDIR").map(PathBuf::from));
    session.options.debuginfod = Servers::from_variables(|name| std::env::var(name).ok());
    session.options.cancel = session.cancel.clone();
    session.options.progress = progress::listener();
    if let Some(sysroot) = &args.sysroot {
        (session.settings).set("sysroot", &sysroot.display().to_string())?;
    }
    if !args.debug_dir.is_empty() {
        let folders: Vec<_> = (args.debug_dir.iter())
            .map(|folder| folder.display().to_string())
            .collect();
        (session.settings).set("debug-file-directory", &folders.join(":"))?;
    }
    Ok(())
}

/// The start file, the target, the lines of the command line.
fn run(session: &mut Session, console: &mut Console, invocation: &Invocation) {
    let rc = std::env::home_dir().map(|home| home.join(".pydbgrc"));
    if let Some(rc) = rc.filter(|rc| !invocation.args.nx && rc.is_file()) {
        console.line(session, &args::source_line(&rc));
    }
    let coming = |done: usize| {
        let rest = invocation.lines.get(done..).unwrap_or_default();
        invocation.args.batch.then(|| rest.to_vec())
    };
    session.coming = coming(0);
    if !open(session, console, invocation) {
        return;
    }
    for (index, line) in invocation.lines.iter().enumerate() {
        if session.quit || console.closed {
            break;
        }
        session.coming = coming(index + 1);
        console.line(session, line);
    }
}

/// Opens the target, if one is named. In JSON the answer to that is a document of its own only
/// when nothing else is asked: `--json -ex py-bt` prints one document.
fn open(session: &mut Session, console: &mut Console, invocation: &Invocation) -> bool {
    let Some(opening) = &invocation.opening else {
        return true;
    };
    let name = match opening {
        Opening::Live(pid, _) => format!("attach {pid}"),
        Opening::Tree(pid, _) => format!("attach --tree {pid}"),
        Opening::Snapshot(pid, _) => format!("attach --snapshot {pid}"),
        Opening::Core(core, _) | Opening::Files(core, None) => format!("core {}", core.display()),
        Opening::Files(one, Some(other)) => format!("core {} {}", one.display(), other.display()),
        Opening::Dump(pid) => return write_core(session, console, *pid, &invocation.args),
        Opening::Demo => return false,
    };
    let args = &invocation.args;
    let job = Job {
        name: &name,
        pipe: None,
        failure: Status::Unreadable,
        quiet: args.quiet || args.json && !invocation.lines.is_empty(),
    };
    console.perform(session, &job, |session| {
        match opening {
            Opening::Tree(pid, exe) => {
                let report = session.open_tree(*pid, exe.as_deref())?;
                return Ok(Box::new(report) as Box<dyn Report>);
            }
            Opening::Live(pid, exe) => session.open_attach(*pid, exe.as_deref())?,
            Opening::Snapshot(pid, exe) => {
                session.open_snapshot(*pid, exe.as_deref(), args.dump.forks())?;
            }
            Opening::Core(core, exe) => session.open_core(core, exe.as_deref())?,
            Opening::Files(one, other) => session.open_files(one, other.as_deref())?,
            Opening::Dump(_) | Opening::Demo => {}
        }
        Ok(Box::new(session.banner()?) as Box<dyn Report>)
    })
}

/// Writes the core of a live process, without a session about it; nothing is to be done after that.
fn write_core(session: &mut Session, console: &mut Console, pid: i32, args: &Args) -> bool {
    let name = format!("dump {pid}");
    let job = Job {
        name: &name,
        pipe: None,
        failure: Status::Failed,
        quiet: args.quiet && !args.json,
    };
    let mut unreadable = false;
    console.perform(session, &job, |session| {
        let request = args.dump.request(session, args.output.as_deref());
        let saved = pydbg::dump::process(pid, &session.options, &request);
        unreadable = matches!(saved, Err(DumpError::Attach(_)));
        dump::report(saved)
    });
    if unreadable {
        console.status.worsen(Status::Unreadable);
    }
    false
}
