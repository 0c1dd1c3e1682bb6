//! The ways from roots to an object.

use super::one::thing;
use crate::cli::{Out, Report, Style};
use pydbg::diag::counted;
use pydbg::heap::{RootPath, RootPaths};
use serde_json::Value;
use std::io;

/// An answer of `path`.
pub struct Paths(pub RootPaths);

impl Report for Paths {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        thing(out, &found.object)?;
        out.end()?;
        if found.paths.iter().any(|path| !path.root.certain) {
            out.put(format_args!(
                "No certain root leads to it, only words that look like references:\n"
            ))?;
        }
        for (position, path) in found.paths.iter().enumerate() {
            one(out, position + 1, path)?;
        }
        if found.paths.is_empty() {
            self.nothing(out)?;
        } else if !found.complete {
            out.put(format_args!("There may be more ways; see -n.\n"))?;
        }
        if !found.weak.is_empty() {
            out.put(format_args!(
                "Through weak references, which keep nothing alive:\n"
            ))?;
        }
        for (position, path) in found.weak.iter().enumerate() {
            one(out, position + 1, path)?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

impl Paths {
    /// Says why there is no way.
    fn nothing(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        if !found.complete {
            return out.put(format_args!(
                "No way was found among those that were looked at.\n"
            ));
        }
        match found.referrers {
            0 => out.put(format_args!("Nothing refers to it"))?,
            1 => out.put(format_args!(
                "1 object refers to it, but no root leads to that"
            ))?,
            many => out.put(format_args!(
                "{many} objects refer to it, but no root leads to them"
            ))?,
        }
        out.put(format_args!(
            ": it is garbage, or held by native memory only.\n"
        ))?;
        if found.weak_references > 0 && found.weak.is_empty() {
            let weak = counted(found.weak_references, "weak reference");
            out.put(format_args!("There is {weak} to it; see --weak.\n"))?;
        }
        Ok(())
    }
}

fn one(out: &mut Out<'_>, number: usize, path: &RootPath) -> io::Result<()> {
    out.put(format_args!("{number:3}  "))?;
    out.target(&path.chain.text)?;
    out.end()?;
    let steps = counted(path.objects.len().saturating_sub(1), "step");
    out.put(format_args!("     "))?;
    let uncertain = match path.root.certain {
        true => "",
        false => " (uncertain)",
    };
    let words = format!("{steps} from {}{uncertain}", path.root.words);
    out.styled(Style::Faint, &words)?;
    out.end()
}
