//! The interpreters that `fixtures/interpreters` found or made.

use super::fixtures;
use pydbg::target::Options;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One interpreter of the list.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    /// Short stable name, such as `pyenv-3.11`.
    pub(crate) id: String,
    /// Major and minor version.
    pub(crate) version: (u8, u8),
    /// `gil`, `nogil`, `stripped`, `debug`, `chroot`, …
    pub(crate) flags: Vec<String>,
    /// `/`, or the folder to chroot into.
    pub(crate) root: PathBuf,
    /// The interpreter's path inside `root`.
    pub(crate) python: String,
    /// What it is started by, if not by itself: `ld.so`, another program.
    pub(crate) launcher: Vec<String>,
    /// Environment variables that it is started with.
    pub(crate) environment: Vec<(String, String)>,
}

impl Interpreter {
    /// Whether it is run in a root folder of its own.
    pub(crate) fn is_chroot(&self) -> bool {
        self.root.as_os_str() != "/"
    }

    /// What the command line needs to open a core of it.
    pub(crate) fn sysroot(&self) -> Vec<&str> {
        match self.is_chroot() {
            true => vec!["--sysroot", self.root.to_str().expect("the root is UTF-8")],
            false => Vec::new(),
        }
    }

    /// What the engine needs to open a core of it.
    pub(crate) fn options(&self) -> Options {
        Options {
            sysroot: self.is_chroot().then(|| self.root.clone()),
            ..Options::default()
        }
    }

    /// Whether the list gives it this flag.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    /// The same one, found at another path.
    pub(crate) fn at(&self, python: &Path) -> Interpreter {
        Interpreter {
            python: python.to_str().expect("the path is UTF-8").to_owned(),
            ..self.clone()
        }
    }

    /// The same one, started with one more environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Interpreter {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same one, of which a flag is true.
    pub(crate) fn flagged(mut self, flag: &str) -> Interpreter {
        self.flags.push(flag.to_owned());
        self
    }

    /// The same one, started so that cores by gdb's gcore are small: glibc reserves 64 MiB of addresses
    /// for an arena of each thread, of which gdb writes every byte.
    pub(crate) fn for_gcore(&self) -> Interpreter {
        self.clone().with("MALLOC_ARENA_MAX", "1")
    }

    fn parse(line: &str) -> Interpreter {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, version, flags, root, python] = fields[..] else {
            panic!("fixtures/interpreters printed {line:?}, not five fields");
        };
        let mut numbers = version.split('.').map(|n| n.parse().unwrap_or(0));
        Interpreter {
            id: id.to_owned(),
            version: (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)),
            flags: flags.split(',').map(str::to_owned).collect(),
            root: root.into(),
            python: python.to_owned(),
            launcher: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// Every interpreter there is. `PYDBG_INTERPRETERS=id,id` narrows the list while working on one.
pub(crate) fn interpreters() -> &'static [Interpreter] {
    static LIST: OnceLock<Vec<Interpreter>> = OnceLock::new();
    LIST.get_or_init(|| {
        let output = Command::new(fixtures().join("interpreters"))
            .arg("--list")
            .output()
            .expect("fixtures/interpreters cannot be run");
        let text = String::from_utf8(output.stdout).expect("the list is not UTF-8");
        let only = std::env::var("PYDBG_INTERPRETERS").ok();
        let list: Vec<Interpreter> = text
            .lines()
            .map(Interpreter::parse)
            .filter(|i| {
                only.as_ref()
                    .is_none_or(|o| o.split(',').any(|id| id == i.id))
            })
            .collect();
        assert!(
            !list.is_empty(),
            "no interpreter found: run fixtures/interpreters first"
        );
        list
    })
}
