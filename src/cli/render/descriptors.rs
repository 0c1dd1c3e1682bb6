//! Open files and sockets as they are shown: the verdicts, the list, one of them, groups.

use crate::cli::{Out, Report, Style};
use pydbg::descriptors::{
    Descriptors, Hold, Holder, Kind, Limit, Shown, ShownOwner, Source, by_target,
};
use pydbg::diag::{Note, counted};
use pydbg::heap::Heap;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// What is said of a core.
const OF_OBJECTS: &str = "A core has no table of descriptors: only those are known that a Python \
                          object owns.";

/// The answer about all descriptors.
pub struct All {
    found: Descriptors,
    shown: Vec<Shown>,
}

/// The answer about one of them.
pub struct One(pub Shown);

/// How many there are of each group.
pub struct Grouped {
    by: &'static str,
    title: &'static str,
    rows: Vec<(String, usize)>,
    left_out: usize,
    open: usize,
    source: Source,
    notes: Vec<Note>,
}

impl All {
    /// The first `most` descriptors in a list.
    pub fn of(heap: Arc<Heap>, found: Descriptors, most: usize) -> All {
        let listed = found.all.iter().take(most);
        let shown = listed.map(|one| found.shown(&heap, one)).collect();
        All { found, shown }
    }
}

/// `912 descriptors are open, of at most 1024.`
fn heading(out: &mut Out<'_>, found: &Descriptors) -> io::Result<()> {
    let open = counted(found.all.len(), "descriptor");
    if found.source == Source::Objects && found.problem.is_none() {
        out.put(format_args!("{OF_OBJECTS}\n"))?;
    }
    let verb = if found.all.len() == 1 { "is" } else { "are" };
    let more = if found.more { "more than " } else { "" };
    let known = match found.source {
        Source::Kernel => "open",
        Source::Objects => "known",
    };
    out.put(format_args!("{more}{open} {verb} {known}"))?;
    match found.limit {
        Some(Limit {
            soft: Some(soft), ..
        }) => {
            out.put(format_args!("; the limit (RLIMIT_NOFILE) is {soft}"))?;
        }
        Some(_) => out.put(format_args!("; there is no limit"))?,
        None => {}
    }
    let kinds = found.kinds();
    let kinds = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind.words()));
    let kinds: Vec<String> = kinds.collect();
    match kinds.is_empty() {
        true => out.put(format_args!(".\n")),
        false => out.put(format_args!(": {}.\n", kinds.join(", "))),
    }
}

/// What is missing.
fn notes(found: &Descriptors) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut partial = |text: String| notes.push(Note::partial(text));
    if let Some(problem) = &found.problem {
        let text = "the kernel does not tell the descriptors of the process";
        partial(format!(
            "{text} ({problem}); only those that an object owns are known"
        ));
    }
    if found.unreadable > 0 {
        let objects = counted(found.unreadable, "object");
        partial(format!(
            "{objects} that may own a descriptor could not be read"
        ));
    }
    if found.more {
        partial(format!(
            "only {} descriptors were looked at",
            found.all.len()
        ));
    }
    notes
}

impl Report for All {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.found;
        heading(out, found)?;
        for verdict in &found.verdicts {
            out.styled(Style::Marked, verdict.text())?;
            out.end()?;
        }
        if !self.shown.is_empty() {
            out.put(format_args!("  FD Kind     Mode Leads to\n"))?;
        }
        for one in &self.shown {
            row(out, one)?;
            for owner in &one.owners {
                out.put(format_args!("                   "))?;
                own(out, owner)?;
            }
        }
        if let left @ 1.. = found.all.len().saturating_sub(self.shown.len()) {
            out.put(format_args!("… {left} more; see -n\n"))?;
        }
        if let stale @ 1.. = found.stale.len() {
            let objects = counted(stale, "object");
            out.put(format_args!(
                "{objects} hold numbers of descriptors that are not open any more.\n"
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let found = &self.found;
        let kinds = found.kinds().into_iter();
        let kinds: Vec<Value> = kinds
            .map(|(kind, count)| json!({"kind": kind, "count": count}))
            .collect();
        json!({
            "source": found.source,
            "open": found.all.len(),
            "limit": found.limit,
            "kinds": kinds,
            "unowned": found.all.iter().filter(|one| one.owners.is_empty()).count(),
            "stale": found.stale.len(),
            "verdicts": found.verdicts,
            "holders": found.holders,
            "descriptors": self.shown,
            "left_out": found.all.len().saturating_sub(self.shown.len()),
        })
    }

    fn notes(&self) -> Vec<Note> {
        notes(&self.found)
    }
}

/// `  17 TCP      rw   TCP 127.0.0.1:1 to 127.0.0.1:2`.
fn row(out: &mut Out<'_>, one: &Shown) -> io::Result<()> {
    let mode = one.access.map_or("", |access| access.letters());
    out.put(format_args!(
        "{:4} {:<8} {mode:<4} ",
        one.fd,
        one.kind.words()
    ))?;
    match &one.target {
        Some(target) => out.target(target)?,
        None => out.put(format_args!("?"))?,
    }
    if let Some(detail) = &one.detail {
        out.put(format_args!(" ("))?;
        out.target(detail)?;
        out.put(format_args!(")"))?;
    }
    if one.owners.is_empty() {
        out.styled(Style::Faint, "  no owner known")?;
    }
    out.end()
}

/// `_io.FileIO at 0x7f…: sys.stdin.buffer.raw`.
fn own(out: &mut Out<'_>, owner: &ShownOwner) -> io::Result<()> {
    out.target(&owner.object.class)?;
    out.put(format_args!(" at "))?;
    out.styled(Style::Address, &owner.object.address.to_string())?;
    if !owner.closes {
        out.put(format_args!(", which does not close it"))?;
    }
    out.put(format_args!(": "))?;
    match &owner.path {
        Some(path) => out.target(&path.chain.text)?,
        None => out.put(format_args!("no root leads to it"))?,
    }
    if let Some(doubt) = &owner.doubt {
        out.put(format_args!(" ("))?;
        out.target(doubt)?;
        out.put(format_args!(")"))?;
    }
    out.end()
}

impl One {
    /// Why there is no such descriptor.
    pub fn missing(found: &Descriptors, fd: i32) -> String {
        match found.source {
            Source::Kernel => format!("Descriptor {fd} is not open."),
            Source::Objects => format!("No Python object owns descriptor {fd}. {OF_OBJECTS}"),
        }
    }
}

impl Report for One {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let one = &self.0;
        out.put(format_args!("Descriptor {}: {}", one.fd, one.kind.words()))?;
        if let Some(target) = &one.target {
            out.put(format_args!(", "))?;
            out.target(target)?;
        }
        out.end()?;
        if let Some(detail) = &one.detail {
            out.put(format_args!("  "))?;
            out.target(detail)?;
            out.end()?;
        }
        if let Some(access) = one.access {
            let flags: Vec<&str> = one.flags.clone();
            out.put(format_args!("  mode {}", access.letters()))?;
            if !flags.is_empty() {
                out.put(format_args!(", {}", flags.join(" | ")))?;
            }
            if let Some(position) = one.position {
                out.put(format_args!(", position {position}"))?;
            }
            out.end()?;
        }
        if one.owners.is_empty() {
            out.put(format_args!(
                "No Python object that is known owns it: C code holds it, or it is a mere number.\n"
            ))?;
        }
        for owner in &one.owners {
            out.put(format_args!("Owned by "))?;
            own(out, owner)?;
            if let Some(path) = &owner.path {
                out.put(format_args!("  from "))?;
                out.target(&path.root.words)?;
                out.end()?;
            }
            out.put(format_args!("  "))?;
            out.target(&owner.object.repr)?;
            out.end()?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

impl Grouped {
    fn of(
        (by, title): (&'static str, &'static str),
        found: &Descriptors,
        mut rows: Vec<(String, usize)>,
        most: usize,
    ) -> Grouped {
        let left_out = rows.len().saturating_sub(most);
        rows.truncate(most);
        Grouped {
            by,
            title,
            rows,
            left_out,
            open: found.all.len(),
            source: found.source.clone(),
            notes: notes(found),
        }
    }

    /// How many there are of each kind.
    pub fn by_kind(found: &Descriptors, most: usize) -> Grouped {
        let kinds = found.kinds().into_iter();
        let rows = kinds.map(|(kind, count): (Kind, usize)| (kind.words().to_owned(), count));
        Grouped::of(("kind", "Kind"), found, rows.collect(), most)
    }

    /// How many lead to each thing.
    pub fn by_target(found: &Descriptors, most: usize) -> Grouped {
        Grouped::of(("target", "Leads to"), found, by_target(&found.all), most)
    }

    /// How many each object keeps open.
    pub fn by_owner(found: &Descriptors, most: usize) -> Grouped {
        let mut rows: Vec<(String, usize)> = found.holders.iter().map(holder).collect();
        let held: usize = rows.iter().map(|(_, count)| count).sum();
        let unowned = found.all.iter().filter(|one| one.owners.is_empty()).count();
        let others = found.all.len().saturating_sub(held).saturating_sub(unowned);
        let rest = [
            ("objects that are kept alive one by one", others),
            ("no owner known", unowned),
        ];
        let rest = rest.iter().filter(|(_, count)| *count > 0);
        rows.extend(rest.map(|(name, count)| ((*name).to_owned(), *count)));
        Grouped::of(("owner", "Kept open by"), found, rows, most)
    }
}

fn holder(holder: &Holder) -> (String, usize) {
    let object = &holder.object;
    let path = holder.path.as_ref().map(|path| &*path.chain.text);
    let path = path.unwrap_or("no root leads to it");
    let among = match holder.hold {
        Hold::Alone => "",
        Hold::Among => ", among others",
    };
    let name = format!("{} at {}: {path}{among}", object.class, object.address);
    (name, holder.count)
}

impl Report for Grouped {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.source == Source::Objects && self.notes.is_empty() {
            out.put(format_args!("{OF_OBJECTS}\n"))?;
        }
        out.put(format_args!(" Count {}\n", self.title))?;
        for (name, count) in &self.rows {
            out.put(format_args!("{count:6} "))?;
            out.target(name)?;
            out.end()?;
        }
        match self.left_out {
            0 => Ok(()),
            more => out.put(format_args!(
                "… {} left out; see -n\n",
                counted(more, "more group")
            )),
        }
    }

    fn json(&self) -> Value {
        let row = |(name, count): &(String, usize)| json!({"name": name, "count": count});
        json!({
            "source": self.source,
            "by": self.by,
            "open": self.open,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "left_out": self.left_out,
        })
    }

    fn notes(&self) -> Vec<Note> {
        self.notes.clone()
    }
}
