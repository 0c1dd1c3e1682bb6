//! The core that is damaged: its bytes, pydbg's answer while it is whole, and the places in it of
//! all that the stacks depend on, found by following CPython's structures with the offsets of
//! `info layout`.

use super::run::run;
use crate::harness::corefile::CoreFile;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// A core and what it shows.
pub(super) struct Victim {
    pub(super) core: CoreFile,
    /// Options it is opened with.
    pub(super) options: Vec<String>,
    pub(super) threads: Vec<Thread>,
    /// Address of `_PyRuntime`.
    pub(super) runtime: u64,
    /// Address of the main `PyInterpreterState`.
    pub(super) interpreter: u64,
    /// `sys.hexversion`.
    pub(super) hexversion: u32,
    layout: HashMap<(String, String), u64>,
}

/// One Python thread and its stack.
pub(super) struct Thread {
    pub(super) tstate: u64,
    /// Innermost first.
    pub(super) frames: Vec<Frame>,
    /// Each link of the chain, hidden frames included: the address of the word that leads on.
    pub(super) links: Vec<u64>,
}

/// One Python frame.
pub(super) struct Frame {
    pub(super) addr: u64,
    pub(super) code: u64,
    /// Function, file and line: what must be printed.
    pub(super) shown: String,
    /// How many of the thread's links lead to it.
    pub(super) links: usize,
    /// Address ranges it is made of.
    pub(super) made_of: Vec<(u64, u64)>,
}

/// The address in a JSON document.
pub(super) fn address(value: &Value) -> u64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no address"));
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hex")
}

/// What is shown of a frame.
pub(super) fn shown(frame: &Value) -> String {
    format!("{} {}:{}", frame["function"], frame["file"], frame["line"])
}

impl Victim {
    /// Looks at an undamaged core.
    pub(super) fn of(path: &Path, options: Vec<String>) -> Victim {
        let mut args = vec!["core", path.to_str().expect("UTF-8"), "--json"];
        args.extend(options.iter().map(String::as_str));
        let commands = [
            "py-bt all",
            "info layout",
            "info python",
            "info interpreters",
        ];
        let run = run(&args, &commands).expect("the undamaged core opens");
        let data = |command| run.document(command).expect("an answer")["data"].clone();
        let mut layout = HashMap::new();
        for field in data("info layout")["fields"].as_array().unwrap() {
            let name = |key: &str| field[key].as_str().unwrap().to_owned();
            if let Some(value) = field["value"].as_u64() {
                layout.insert((name("group"), name("name")), value);
            }
        }
        let mut victim = Victim {
            core: CoreFile::read(path),
            options: options.clone(),
            threads: Vec::new(),
            runtime: address(&data("info python")["runtime"]["addr"]),
            hexversion: data("info python")["version"]["hex"].as_u64().expect("hex") as u32,
            interpreter: address(&data("info interpreters")["interpreters"][0]["addr"]),
            layout,
        };
        let threads = data("py-bt all");
        let threads = threads["threads"].as_array().unwrap().iter();
        victim.threads = threads.map(|thread| victim.thread(thread)).collect();
        victim
    }

    /// The offset of a field, if this version has it.
    pub(super) fn field(&self, group: &str, name: &str) -> Option<u64> {
        self.layout
            .get(&(group.to_owned(), name.to_owned()))
            .copied()
    }

    /// The offset of a field that every version has.
    pub(super) fn at(&self, group: &str, name: &str) -> u64 {
        self.field(group, name).expect("a field of every version")
    }

    /// How many frames there are.
    pub(super) fn total(&self) -> usize {
        self.threads.iter().map(|thread| thread.frames.len()).sum()
    }

    fn thread(&self, thread: &Value) -> Thread {
        let tstate = address(&thread["tstate"]);
        let (links, chain) = self.chain(tstate);
        let frames = thread["frames"].as_array().unwrap().iter();
        let frames = frames.map(|frame| {
            let (addr, code) = (address(&frame["address"]), address(&frame["code"]));
            let position = chain.iter().position(|at| *at == addr);
            let position = position.expect("the chain leads to each frame");
            Frame {
                addr,
                code,
                shown: shown(frame),
                links: links.len() - chain.len() + position + 1,
                made_of: self.made_of(addr, code),
            }
        });
        let frames = frames.collect();
        Thread {
            tstate,
            frames,
            links,
        }
    }

    /// The words that lead from a thread state through all its frames, and the frames.
    fn chain(&self, tstate: u64) -> (Vec<u64>, Vec<u64>) {
        let (mut links, mut chain) = (Vec::new(), Vec::new());
        let mut at = tstate;
        if let (Some(cframe), Some(current), None) = (
            self.field("thread", "cframe"),
            self.field("cframe", "current_frame"),
            self.field("thread", "frame"),
        ) {
            links.push(at + cframe);
            at = self.core.peek(at + cframe).unwrap() + current;
        } else {
            at += self.at("thread", "frame");
        }
        while let Some(frame) = self.core.peek(at).filter(|frame| *frame != 0) {
            links.push(at);
            chain.push(frame);
            at = frame + self.at("frame", "previous");
        }
        (links, chain)
    }

    /// The bytes that make up what is shown of a frame: its own, those of its code object, the
    /// strings and tables the code refers to, and the types all of them refer to.
    fn made_of(&self, frame: u64, code: u64) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let mut add = |at: u64, len: u64| all.push((at, len));
        for name in ["code", "instruction", "owner", "is_entry", "tlbc_index"] {
            if let Some(offset) = self.field("frame", name) {
                add(frame + offset, 8);
            }
        }
        let mut objects = vec![code];
        for name in [
            "name",
            "qualname",
            "filename",
            "linetable",
            "bytecode",
            "firstlineno",
            "firsttraceable",
            "flags",
            "tlbc",
        ] {
            let Some(offset) = self.field("code", name) else {
                continue;
            };
            add(code + offset, 8);
            if !matches!(name, "firstlineno" | "firsttraceable" | "flags" | "tlbc") {
                objects.extend(self.core.peek(code + offset));
            }
        }
        for object in objects {
            // The header, and of strings and tables the content; 3.8's longest is 1,000 bytes.
            let size = self
                .core
                .peek(object + self.at("object", "ob_size"))
                .unwrap_or(0);
            let content = if object == code { 0 } else { size.min(1000) };
            add(object, 80 + content);
            if let Some(ty) = self.core.peek(object + self.at("object", "ob_type")) {
                add(ty, self.at("type_object", "size"));
            }
        }
        all
    }
}
