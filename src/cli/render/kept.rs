//! The cores that systemd-coredump keeps, as a table.

use crate::cli::{Out, Report};
use comfy_table::{Table, presets};
use pydbg::diag::human;
use pydbg::escape::escape;
use pydbg::target::coredumpctl::{self, Entry};
use pydbg::target::signal;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The cores of one folder, the latest last.
pub struct KeptCores {
    folder: PathBuf,
    cores: Vec<Entry>,
}

impl KeptCores {
    /// Lists `folder`, or the one where systemd keeps them.
    pub fn of(folder: Option<&Path>) -> anyhow::Result<KeptCores> {
        let folder = folder.unwrap_or(Path::new(coredumpctl::DIRECTORY));
        let cores = coredumpctl::list(folder).map_err(|error| {
            anyhow::anyhow!(
                "{}: {error}; another folder can be named: core --list DIR",
                folder.display()
            )
        })?;
        Ok(KeptCores {
            folder: folder.to_owned(),
            cores,
        })
    }
}

impl Report for KeptCores {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.cores.is_empty() {
            out.put(format_args!("No cores in "))?;
            out.target(&self.folder.display().to_string())?;
            return out.end();
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["Age", "PID", "UID", "Signal", "Size", "Program", "File"]);
        for core in &self.cores {
            let program = core.exe.as_deref().unwrap_or(&core.comm);
            let readable = if core.readable { "" } else { " (not readable)" };
            table.add_row([
                age(core.time),
                core.pid.to_string(),
                core.uid.to_string(),
                core.signal.map_or("-".to_owned(), signal::name),
                human(core.size),
                escape(program).into_owned(),
                format!("{}{readable}", escape(&core.path.display().to_string())),
            ]);
        }
        for line in table.lines() {
            out.put(format_args!("{}\n", line.trim_end()))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({"folder": self.folder, "cores": self.cores})
    }
}

/// How long ago a moment was, in microseconds since 1970: `5 min`, `3 h`, `12 d`.
fn age(micros: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    match now.saturating_sub(micros / 1_000_000) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
