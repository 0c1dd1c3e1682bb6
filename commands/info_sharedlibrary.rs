//! `info sharedlibrary`: the ELF files of the target, and which of them can be used.

use crate::cli::{Class, Needs, Out, Report, Run, Session, Style};
use pydbg::image::ImageSummary;
use serde_json::{Value, json};
use std::io;

/// List the ELF files mapped in the target and whether their symbols are known.
///
/// "Yes" means full symbols with line numbers, "Yes (*)" symbols without line numbers, "Exported"
/// only the names for other libraries, "No" none. A file that is missing or is not the one the
/// target ran is said to be so, with the build-ids.
///
/// Examples:
///     info sharedlibrary
///     info sharedlibrary libc      only files whose path holds "libc"
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoSharedlibrary {
    /// A part of the path
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

impl Run for InfoSharedlibrary {
    const NAME: &'static str = "info sharedlibrary";
    const ALIASES: &'static [&'static str] = &["info dll"];
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Target;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let wanted = self.text.unwrap_or_default();
        let mut files = Vec::new();
        for image in &session.process()?.images.all {
            if session.cancel.is_cancelled() {
                break;
            }
            if image.path.contains(&wanted) {
                files.push(image.summary());
            }
        }
        Ok(Box::new(Libraries(files)))
    }
}

/// The files asked for.
struct Libraries(Vec<ImageSummary>);

fn known(file: &ImageSummary) -> &'static str {
    match (file.symbols, file.debug_info) {
        ("no", _) => "No",
        ("dynamic only", _) => "Exported",
        (_, true) => "Yes",
        (_, false) => "Yes (*)",
    }
}

impl Report for Libraries {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.0.is_empty() {
            return out.put(format_args!("No shared libraries matched.\n"));
        }
        out.put(format_args!(
            "{:18}  {:18}  {:10}  Shared Object Library\n",
            "From", "To", "Syms Read"
        ))?;
        for file in &self.0 {
            out.put(format_args!(
                "{:#018x}  {:#018x}  {:10}  ",
                file.start.0,
                file.end.0,
                known(file)
            ))?;
            match file.path.as_str() {
                "" => out.put(format_args!("(no path)"))?,
                path => out.target(path)?,
            }
            out.end()?;
            if let Some(problem) = &file.problem {
                out.put(format_args!("{:40}", ""))?;
                out.styled(Style::Faint, problem)?;
                out.end()?;
            }
        }
        if self.0.iter().any(|file| known(file) == "Yes (*)") {
            out.put(format_args!(
                "(*): Shared library is missing debugging information.\n"
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({ "files": self.0 })
    }
}
