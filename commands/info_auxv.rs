//! `info auxv`: the auxiliary vector. Names and wording are gdb 13's (gdb/auxv.c), numbers those
//! of Linux include/uapi/linux/auxvec.h and arch/x86/include/uapi/asm/auxvec.h.

use crate::cli::render::memory::quoted;
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::Addr;
use serde_json::{Value, json};
use std::io;

/// Print the auxiliary vector that the kernel gave the program.
///
/// Examples:
///     info auxv
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoAuxv {}

/// How a value is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Hex,
    Text,
}

/// Number, name, meaning and form of each entry.
const ENTRIES: &[(u64, &str, &str, Form)] = &[
    (0, "AT_NULL", "End of vector", Form::Hex),
    (1, "AT_IGNORE", "Entry should be ignored", Form::Hex),
    (2, "AT_EXECFD", "File descriptor of program", Form::Decimal),
    (3, "AT_PHDR", "Program headers for program", Form::Hex),
    (4, "AT_PHENT", "Size of program header entry", Form::Decimal),
    (5, "AT_PHNUM", "Number of program headers", Form::Decimal),
    (6, "AT_PAGESZ", "System page size", Form::Decimal),
    (7, "AT_BASE", "Base address of interpreter", Form::Hex),
    (8, "AT_FLAGS", "Flags", Form::Hex),
    (9, "AT_ENTRY", "Entry point of program", Form::Hex),
    (10, "AT_NOTELF", "Program is not ELF", Form::Decimal),
    (11, "AT_UID", "Real user ID", Form::Decimal),
    (12, "AT_EUID", "Effective user ID", Form::Decimal),
    (13, "AT_GID", "Real group ID", Form::Decimal),
    (14, "AT_EGID", "Effective group ID", Form::Decimal),
    (15, "AT_PLATFORM", "String identifying platform", Form::Text),
    (
        16,
        "AT_HWCAP",
        "Machine-dependent CPU capability hints",
        Form::Hex,
    ),
    (17, "AT_CLKTCK", "Frequency of times()", Form::Decimal),
    (18, "AT_FPUCW", "Used FPU control word", Form::Hex),
    (
        23,
        "AT_SECURE",
        "Boolean, was exec setuid-like?",
        Form::Decimal,
    ),
    (
        24,
        "AT_BASE_PLATFORM",
        "String identifying base platform",
        Form::Text,
    ),
    (25, "AT_RANDOM", "Address of 16 random bytes", Form::Hex),
    (26, "AT_HWCAP2", "Extension of AT_HWCAP", Form::Hex),
    (
        27,
        "AT_RSEQ_FEATURE_SIZE",
        "rseq supported feature size",
        Form::Decimal,
    ),
    (
        28,
        "AT_RSEQ_ALIGN",
        "rseq allocation alignment",
        Form::Decimal,
    ),
    (31, "AT_EXECFN", "File name of executable", Form::Text),
    (
        32,
        "AT_SYSINFO",
        "Special system info/entry points",
        Form::Hex,
    ),
    (
        33,
        "AT_SYSINFO_EHDR",
        "System-supplied DSO's ELF header",
        Form::Hex,
    ),
    (
        51,
        "AT_MINSIGSTKSZ",
        "Minimum stack size for signal delivery",
        Form::Hex,
    ),
];

/// The longest string read.
const MOST_TEXT: usize = 4096;

impl Run for InfoAuxv {
    const NAME: &'static str = "info auxv";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let target = &session.process()?.target;
        anyhow::ensure!(
            !target.auxv.is_empty(),
            "The program has no auxiliary information now."
        );
        let entries = target.auxv.iter().map(|(number, value)| {
            let known = ENTRIES.iter().find(|(known, ..)| known == number);
            let (name, meaning, form) = match known {
                Some((_, name, meaning, form)) => (*name, *meaning, *form),
                None => ("???", "", Form::Hex),
            };
            let memory = &*target.memory;
            Entry {
                number: *number,
                name,
                meaning,
                value: *value,
                form,
                text: (form == Form::Text)
                    .then(|| memory.cstr(Addr(*value), MOST_TEXT).ok())
                    .flatten()
                    .map(|bytes| quoted(&bytes, '"')),
            }
        });
        Ok(Box::new(Vector(entries.collect())))
    }
}

struct Entry {
    number: u64,
    name: &'static str,
    meaning: &'static str,
    value: u64,
    form: Form,
    text: Option<String>,
}

/// The auxiliary vector.
struct Vector(Vec<Entry>);

impl Report for Vector {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        for entry in &self.0 {
            out.put(format_args!(
                "{:<4} {:<20} {:<30} ",
                entry.number, entry.name, entry.meaning
            ))?;
            match entry.form {
                Form::Decimal => out.put(format_args!("{}", entry.value))?,
                Form::Hex | Form::Text => out.put(format_args!("{:#x}", entry.value))?,
            }
            if let Some(text) = &entry.text {
                out.put(format_args!(" \""))?;
                out.target(text)?;
                out.put(format_args!("\""))?;
            }
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let entries: Vec<Value> = self
            .0
            .iter()
            .map(|entry| {
                json!({
                    "type": entry.number,
                    "name": entry.name,
                    "value": Addr(entry.value),
                    "text": entry.text,
                })
            })
            .collect();
        json!({ "entries": entries })
    }
}
