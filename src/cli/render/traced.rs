//! Where memory was allocated, in the words of `tracemalloc` (Lib/tracemalloc.py, `Statistic`).

use crate::cli::{Out, Report};
use pydbg::diag::{Note, counted};
use pydbg::python::tracemalloc::{Allocation, Line, Site, SiteBy, Sites};
use serde_json::{Value, json};
use std::io;

/// An answer of `tracemalloc`.
pub struct TracedSites(pub Sites);

/// An answer of `alloc-site`.
pub struct TracedBlock(pub Allocation);

impl Report for TracedSites {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        out.put(format_args!(
            "{} traced, {} bytes.\n",
            counted(usize::try_from(found.count).unwrap_or(usize::MAX), "block"),
            found.size
        ))?;
        for site in &found.sites {
            if let (SiteBy::Line | SiteBy::File, Some(top)) = (found.by, site.traceback.last()) {
                out.target(file(top))?;
                out.put(format_args!(":{}: ", top.line))?;
            }
            figures(out, site)?;
            if found.by == SiteBy::Traceback {
                traceback(out, &site.traceback)?;
            }
        }
        match found.left_out {
            0 => Ok(()),
            more => out.put(format_args!(
                "… {} left out with {} bytes; see -n\n",
                counted(more, "more place"),
                found.left_out_size
            )),
        }
    }

    fn json(&self) -> Value {
        json!(self.0)
    }

    fn notes(&self) -> Vec<Note> {
        let missing = self.0.missing;
        let text = format!("{missing} traced blocks are missing: the tables are damaged");
        let note = |text| Note::partial(text);
        (missing > 0).then(|| note(text)).into_iter().collect()
    }
}

impl Report for TracedBlock {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(
            "Block at {}, {} bytes, allocated at (most recent call last):\n",
            self.0.start, self.0.size
        ))?;
        traceback(out, &self.0.traceback)
    }

    fn json(&self) -> Value {
        json!(self.0)
    }
}

fn file(line: &Line) -> &str {
    line.file.as_deref().unwrap_or("?")
}

/// `size=4.5 KiB, count=3, average=1536 B`
fn figures(out: &mut Out<'_>, site: &Site) -> io::Result<()> {
    let average = site.size as f64 / site.count.max(1) as f64;
    out.put(format_args!(
        "size={}, count={}, average={}\n",
        size(site.size as f64),
        site.count,
        size(average)
    ))
}

fn traceback(out: &mut Out<'_>, lines: &[Line]) -> io::Result<()> {
    for line in lines {
        out.put(format_args!("  File \""))?;
        out.target(file(line))?;
        out.put(format_args!("\", line {}\n", line.line))?;
    }
    Ok(())
}

/// As `_format_size` of Lib/tracemalloc.py writes it.
fn size(mut size: f64) -> String {
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 100.0 && unit != "B" {
            return format!("{size:.1} {unit}");
        }
        if size < 10.0 * 1024.0 {
            return format!("{size:.0} {unit}");
        }
        size /= 1024.0;
    }
    match size < 100.0 {
        true => format!("{size:.1} TiB"),
        false => format!("{size:.0} TiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_those_of_tracemalloc() {
        let sizes = [0.0, 99.5, 10_239.0, 10_240.0, 102_400.0, 1e7, 2e12].map(size);
        let truth = [
            "0 B", "100 B", "10239 B", "10.0 KiB", "100 KiB", "9766 KiB", "1863 GiB",
        ];
        assert_eq!(sizes, truth);
    }
}
