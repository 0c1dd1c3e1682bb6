//! The command line: what to open, what to run, how to answer.

use super::dump::DumpOptions;
use super::{argv, line};
use clap::{CommandFactory, FromArgMatches, Parser};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

const ABOUT: &str = "\
A gdb-style post-mortem debugger for CPython.

Opens a core file or a live process and shows native and Python stacks. It runs no code in the
process and needs no Python on this machine.";

const USAGE: &str = "pydbg [OPTIONS] CORE
       pydbg [OPTIONS] EXE CORE
       pydbg [OPTIONS] core CORE [EXE]
       pydbg [OPTIONS] attach [--snapshot|--tree] PID
       pydbg dump PID [-o FILE] [--force] [--compress zstd|lz4] [--filter MASK|python] [--redact]
       pydbg ps [PID]
       pydbg core --list [DIR]
       pydbg [OPTIONS] demo
       pydbg [OPTIONS]";

const EXAMPLES: &str = "\
Examples:
  pydbg core.1234                             open a core and ask at the prompt
  pydbg -batch -ex 'py-bt all' core.1234      print all Python stacks and leave
  pydbg -batch -ex py-bt -p 1234              the stack of a live process, which is
                                              stopped only while its bytes are copied
  pydbg --json -batch -ex 'info threads' core.1234
  pydbg dump 1234 -o hangs.core               write the core of a live process
  pydbg ps                                    the Python processes of this machine
  pydbg attach --tree 1234                    a process and all its descendants
  pydbg attach --snapshot 1234                copy a process, let it run on, then think
  pydbg --sysroot ./image core.1234           a core that comes from a container
  pydbg demo                                  a deadlocked process, made here, and its core

Exit status:
  0 whole answers, 1 a command failed, 2 usage, 3 some answer is partial (its notes
  say what is missing), 4 the target cannot be read";

/// The command line.
#[derive(Parser, Debug)]
#[command(name = "pydbg", version, about = ABOUT, override_usage = USAGE, after_help = EXAMPLES)]
pub struct Args {
    /// What to open: a core, a program and its core (in any order), "core" and a core, or
    /// "attach" and a PID; "dump" and a PID to write its core.
    #[arg(value_name = "TARGET")]
    words: Vec<PathBuf>,

    /// Attach to a live process.
    #[arg(short, long, value_name = "PID", conflicts_with = "core")]
    pid: Option<i32>,

    /// Open this core.
    #[arg(short, long, value_name = "FILE")]
    core: Option<PathBuf>,

    /// The program the core is of, if it is not where the core says.
    #[arg(short, long, value_name = "FILE")]
    exe: Option<PathBuf>,

    /// A folder under which the target's files are looked for first.
    #[arg(long, value_name = "DIR")]
    pub sysroot: Option<PathBuf>,

    /// A folder with separate debug files; may be given several times.
    #[arg(long, value_name = "DIR")]
    pub debug_dir: Vec<PathBuf>,

    /// A folder for unpacking a packed core, or for a snapshot when memory is short, instead of
    /// $TMPDIR or /var/tmp.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,

    /// With "core": list the cores that systemd-coredump keeps, and leave.
    #[arg(long)]
    list: bool,

    /// Run a command; may be given several times.
    #[arg(long, value_name = "CMD")]
    ex: Vec<String>,

    /// Run the commands of a file, in the order given with --ex.
    #[arg(short = 'x', long, value_name = "FILE")]
    command: Vec<PathBuf>,

    /// Leave after the commands instead of asking for more; never page or ask.
    #[arg(long)]
    pub batch: bool,

    /// Do not print the banner.
    #[arg(short, long)]
    pub quiet: bool,

    /// Answer in JSON: one document per command, each on one line.
    #[arg(long)]
    pub json: bool,

    /// Do not read ~/.pydbgrc.
    #[arg(short, long)]
    pub nx: bool,

    /// With "attach" or -p: all descendants of the process that run Python as well.
    #[arg(long)]
    pub tree: bool,

    /// With "attach" or -p: copy the process, let it run on, and look at the copy. It takes as
    /// much memory as the process has.
    #[arg(long, conflicts_with_all = ["tree", "no_stop"])]
    pub snapshot: bool,

    /// Live processes: read without stopping; what changes meanwhile may be read torn.
    #[arg(long)]
    pub no_stop: bool,

    /// With "dump": the core's file, instead of core.PID.
    #[arg(short, long, value_name = "FILE", help_heading = "Options of dump")]
    pub output: Option<PathBuf>,

    /// With "dump": what kind of core.
    #[command(flatten, next_help_heading = "Options of dump")]
    pub dump: DumpOptions,
}

/// What to open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opening {
    /// One or two files; which is the core is found by content.
    Files(PathBuf, Option<PathBuf>),
    /// A core, and perhaps its program.
    Core(PathBuf, Option<PathBuf>),
    /// A live process, and perhaps its program.
    Live(i32, Option<PathBuf>),
    /// A live process and all its descendants, and perhaps its program.
    Tree(i32, Option<PathBuf>),
    /// A copy of a live process, and perhaps its program.
    Snapshot(i32, Option<PathBuf>),
    /// A live process whose core is to be written, and nothing more.
    Dump(i32),
    /// A deadlocked process that is made for the occasion.
    Demo,
}

/// The command line, understood.
#[derive(Debug)]
pub struct Invocation {
    /// Options.
    pub args: Args,
    /// What to open, if anything.
    pub opening: Option<Opening>,
    /// The lines to run, `--ex` and `--command` in the order given.
    pub lines: Vec<String>,
}

/// Understands a command line.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let matches = Args::command().try_get_matches_from_mut(argv::normalize(argv))?;
    let args = Args::from_arg_matches(&matches)?;
    let wrong = |why| Args::command().error(clap::error::ErrorKind::ValueValidation, why);
    if args.list {
        return Ok(Invocation {
            lines: vec![args.list_line().map_err(wrong)?],
            opening: None,
            args: Args {
                batch: true,
                ..args
            },
        });
    }
    if let Some(line) = args.ps_line() {
        return Ok(Invocation {
            lines: vec![line],
            opening: None,
            args: Args {
                batch: true,
                ..args
            },
        });
    }
    let opening = args.opening().map_err(wrong)?;
    let opening = match opening {
        Some(Opening::Live(pid, exe)) if args.tree => Some(Opening::Tree(pid, exe)),
        _ if args.tree => {
            return Err(wrong(
                "--tree goes with \"attach\": pydbg attach --tree PID".into(),
            ));
        }
        Some(Opening::Live(pid, exe)) if args.snapshot => Some(Opening::Snapshot(pid, exe)),
        _ if args.snapshot => {
            return Err(wrong(
                "--snapshot goes with \"attach\": pydbg attach --snapshot PID".into(),
            ));
        }
        opening => opening,
    };
    let dumps = matches!(opening, Some(Opening::Dump(_)));
    let given = match args.snapshot {
        true => args.dump != args.dump.of_snapshot(),
        false => args.dump != DumpOptions::default(),
    };
    if !dumps && (args.output.is_some() || given) {
        return Err(wrong(
            "--output, --force, --filter, --redact, --compress and --fork go with \"dump\": pydbg dump PID"
                .into(),
        ));
    }
    if dumps && !(args.ex.is_empty() && args.command.is_empty()) {
        return Err(wrong(
            "dump runs no commands; \"generate-core-file\" is one: pydbg attach PID -ex gcore"
                .into(),
        ));
    }
    let args = Args {
        batch: args.batch || dumps,
        ..args
    };
    let mut lines = Vec::new();
    let at = |name| matches.indices_of(name).into_iter().flatten();
    lines.extend(at("ex").zip(args.ex.iter().cloned()));
    let sources = args.command.iter().map(|file| source_line(file));
    lines.extend(at("command").zip(sources));
    lines.sort_by_key(|(index, _)| *index);
    Ok(Invocation {
        args,
        opening,
        lines: lines.into_iter().map(|(_, line)| line).collect(),
    })
}

/// The line that runs the commands of `file`.
pub fn source_line(file: &Path) -> String {
    format!("source {}", line::quote(&file.display().to_string()))
}

impl Args {
    /// The line of `pydbg core --list [DIR]`.
    fn list_line(&self) -> Result<String, String> {
        match self.words.as_slice() {
            [word] if word == Path::new("core") => Ok("core --list".into()),
            [word, folder] if word == Path::new("core") => {
                let folder = line::quote(&folder.display().to_string());
                Ok(format!("core --list {folder}"))
            }
            _ => Err("--list goes with \"core\": pydbg core --list [DIR]".into()),
        }
    }

    /// The line of `pydbg ps [PID]`, unless that is the name of a file.
    fn ps_line(&self) -> Option<String> {
        let words: Vec<&str> = self.words.iter().map_while(|word| word.to_str()).collect();
        match words.as_slice() {
            ["ps"] if !Path::new("ps").exists() => Some("ps".into()),
            ["ps", pid] if pid.parse::<i32>().is_ok() => Some(format!("ps {pid}")),
            _ => None,
        }
    }

    fn opening(&self) -> Result<Option<Opening>, String> {
        let exe = self.exe.clone();
        let program = || exe.clone().or(self.words.first().cloned());
        if let Some(core) = &self.core {
            return Ok(Some(Opening::Core(core.clone(), program())));
        }
        if let Some(pid) = self.pid {
            return Ok(Some(Opening::Live(pid, program())));
        }
        let words: Vec<&Path> = self.words.iter().map(PathBuf::as_path).collect();
        // A file may be called "core", the kernel's own default name.
        let verb = (words.first().and_then(|word| word.to_str()))
            .filter(|verb| words.len() > 1 || !Path::new(verb).exists());
        let opening = match (verb, words.as_slice()) {
            (_, []) => return Ok(None),
            (Some("demo"), [_]) => Opening::Demo,
            (Some("attach"), [_]) => return Err("attach needs a PID: pydbg attach PID".into()),
            (Some("core"), [_]) => {
                return Err(
                    "there is no file \"core\" here; for another one: pydbg core CORE".into(),
                );
            }
            (Some("dump"), [_]) => return Err("dump needs a PID: pydbg dump PID".into()),
            (Some(verb @ ("attach" | "dump")), [_, pid]) => {
                let number = pid.to_str().and_then(|word| word.parse().ok());
                let number = number.ok_or_else(|| format!("\"{}\" is no PID", pid.display()))?;
                match verb {
                    "dump" => Opening::Dump(number),
                    _ => Opening::Live(number, exe),
                }
            }
            (Some("core"), [_, core]) => Opening::Core(core.to_path_buf(), exe),
            (Some("core"), [_, one, other]) | (_, [one, other]) => {
                Opening::Files(one.to_path_buf(), Some(other.to_path_buf()))
            }
            (_, [core]) if exe.is_some() => Opening::Core(core.to_path_buf(), exe),
            (_, [core]) => Opening::Files(core.to_path_buf(), None),
            _ => return Err("too many files: give a core, or a program and its core".into()),
        };
        Ok(Some(opening))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Invocation {
        let argv = std::iter::once("pydbg").chain(words.iter().copied());
        parse(argv.map(OsString::from)).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    #[test]
    fn what_to_open() {
        let opening = |words: &[&str]| parsed(words).opening.unwrap_or_else(|| panic!("{words:?}"));
        assert_eq!(parsed(&[]).opening, None);
        assert_eq!(opening(&["c.1"]), Opening::Files("c.1".into(), None));
        assert_eq!(
            opening(&["py", "core"]),
            Opening::Files("py".into(), Some("core".into()))
        );
        assert_eq!(opening(&["core", "c.1"]), Opening::Core("c.1".into(), None));
        assert_eq!(
            opening(&["core", "c.1", "--exe", "py"]),
            Opening::Core("c.1".into(), Some("py".into()))
        );
        assert_eq!(opening(&["attach", "12"]), Opening::Live(12, None));
        assert_eq!(opening(&["demo"]), Opening::Demo);
        assert_eq!(opening(&["dump", "12", "-o", "f"]), Opening::Dump(12));
        assert!(parsed(&["dump", "12", "--force"]).args.batch);
        assert_eq!(opening(&["-p", "12"]), Opening::Live(12, None));
        for words in [&["attach", "--tree", "12"][..], &["-tree", "-p", "12"]] {
            assert_eq!(opening(words), Opening::Tree(12, None));
        }
        for words in [
            &["attach", "--snapshot", "12"][..],
            &["-p", "12", "--snapshot"],
            &["attach", "12", "--snapshot", "--fork"],
        ] {
            assert_eq!(opening(words), Opening::Snapshot(12, None));
        }
        assert_eq!(
            opening(&["py", "-c", "c.1"]),
            Opening::Core("c.1".into(), Some("py".into()))
        );
    }

    #[test]
    fn lines_keep_their_order_wherever_they_stand() {
        let lines = parsed(&["-ex", "a", "attach", "1", "-x", "f", "-ex", "-b"]).lines;
        assert_eq!(lines, ["a", "source f", "-b"]);
    }

    #[test]
    fn ps_is_a_line_of_a_batch() {
        for words in [&["ps"][..], &["ps", "12", "--json"]] {
            let invocation = parsed(words);
            assert!(invocation.args.batch && invocation.opening.is_none());
            assert!(invocation.lines.concat().starts_with("ps"));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            &["attach", "x"][..],
            &["attach"],
            &["a", "b", "c"],
            &["--nosuch"],
            &["-p", "1", "-c", "f"],
            &["--tree", "c.1"],
            &["--tree"],
            &["-ex"],
            &["dump"],
            &["dump", "x"],
            &["dump", "1", "-ex", "bt"],
            &["dump", "1", "--compress", "zip"],
            &["attach", "1", "--force"],
            &["attach", "1", "--fork"],
            &["attach", "1", "--snapshot", "--force"],
            &["attach", "1", "--snapshot", "--tree"],
            &["attach", "1", "--snapshot", "--no-stop"],
            &["--snapshot", "c.1"],
            &["dump", "1", "--snapshot"],
        ] {
            let argv = std::iter::once("pydbg").chain(words.iter().copied());
            assert!(parse(argv.map(OsString::from)).is_err(), "{words:?}");
        }
    }

    #[test]
    fn definition_is_consistent() {
        Args::command().debug_assert();
    }
}
