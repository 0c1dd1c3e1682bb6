//! Suspects of a leak, as sentences: what has gathered, in what, and the way to it.

use super::percent;
use crate::cli::{Out, Report, Style};
use pydbg::diag::{human, thousands};
use pydbg::heap::{Accused, Before, Container, Form, Suspect, Suspects, Thing};
use serde_json::Value;
use std::io;

/// An answer of `leaks`.
pub struct Leaks {
    /// The suspects.
    pub found: Suspects,
    /// The older dump that they were looked for in.
    pub since: Option<String>,
}

impl Report for Leaks {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.found;
        if found.suspects.is_empty() {
            return out.put(format_args!(
                "No suspects: nowhere have {} or more gathered, of {} in {} objects.\n",
                human(found.least),
                human(found.bytes),
                number(found.objects),
            ));
        }
        if let Some(since) = &self.since {
            out.put(format_args!("Growth since "))?;
            out.target(since)?;
            out.end()?;
        }
        for (position, suspect) in found.suspects.iter().enumerate() {
            self.one(out, position + 1, suspect)?;
        }
        if found.left_out > 0 {
            out.put(format_args!("… {} more; see -n\n", found.left_out))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut value = serde_json::to_value(&self.found).unwrap_or_default();
        value["since"] = self.since.clone().into();
        value
    }
}

impl Leaks {
    fn one(&self, out: &mut Out<'_>, position: usize, suspect: &Suspect) -> io::Result<()> {
        let head = human(suspect.gathered);
        out.put(format_args!("{position:3}  "))?;
        out.styled(Style::Strong, &head)?;
        out.put(format_args!(
            ", {:.1} % of the heap: ",
            percent(suspect.gathered, self.found.bytes)
        ))?;
        who(out, suspect)?;
        out.end()?;
        if let Some(path) = &suspect.path {
            line(out)?;
            if matches!(suspect.who, Accused::Class { .. }) {
                out.put(format_args!("for example "))?;
            }
            out.target(&path.chain.text)?;
            let mut words = format!("  from {}", path.root.words);
            if !path.root.certain {
                words.push_str(" (uncertain)");
            }
            out.styled(Style::Faint, &words)?;
            out.end()?;
        }
        if let Some(owner) = owner(suspect) {
            line(out)?;
            out.put(format_args!("nearly all that is kept alive by "))?;
            named(out, owner)?;
            out.end()?;
        }
        if self.since.is_some() {
            line(out)?;
            self.growth(out, suspect)?;
        }
        for kind in suspect.kinds.iter().skip(1) {
            line(out)?;
            out.put(format_args!("also {} ", number(kind.count)))?;
            out.target(&kind.kind)?;
            out.put(format_args!(", {}\n", human(kind.retained)))?;
        }
        if let Some(example) = &suspect.example {
            line(out)?;
            out.put(format_args!("the largest: "))?;
            named(out, example)?;
            out.end()?;
        }
        Ok(())
    }

    fn growth(&self, out: &mut Out<'_>, suspect: &Suspect) -> io::Result<()> {
        let Some(Before { retained, length }) = suspect.before else {
            return out.put(format_args!("not found there\n"));
        };
        let now = match &suspect.who {
            Accused::Container(container) => container.retained,
            _ => suspect.gathered,
        };
        out.put(format_args!("from {} to {}", human(retained), human(now)))?;
        let length_now = match &suspect.who {
            Accused::Container(container) => container.length,
            _ => None,
        };
        if let (Some(before), Some(now)) = (length, length_now) {
            let (before, now) = (number(before), number(now));
            out.put(format_args!(", from {before} to {now} items"))?;
        }
        out.end()
    }
}

/// What has gathered, and in what.
fn who(out: &mut Out<'_>, suspect: &Suspect) -> io::Result<()> {
    let first = suspect.kinds.first();
    match &suspect.who {
        Accused::Object { object } => named(out, object),
        Accused::Chain { object, length } => {
            out.put(format_args!("a chain of {} ", number(*length)))?;
            out.target(&object.class)?;
            out.put(format_args!(", the first "))?;
            out.styled(Style::Address, &object.address.to_string())
        }
        Accused::Class { name, .. } => {
            let count: u64 = suspect.kinds.iter().map(|kind| kind.count).sum();
            out.put(format_args!("{} ", number(count)))?;
            out.target(name)?;
            out.put(format_args!(", which no one container has"))
        }
        Accused::Container(container) => {
            if let Some(kind) = first {
                out.put(format_args!("{} ", number(kind.count)))?;
                out.target(&kind.kind)?;
                out.put(format_args!(" in "))?;
            }
            contained(out, container)
        }
    }
}

fn contained(out: &mut Out<'_>, container: &Container) -> io::Result<()> {
    let object = &container.object;
    match (&container.attributes_of, container.form) {
        (Some(owner), _) => {
            out.put(format_args!("the attributes of "))?;
            out.target(&owner.class)?;
            out.put(format_args!(" "))?;
            out.styled(Style::Address, &owner.address.to_string())?;
        }
        (None, form) => {
            out.put(format_args!("the "))?;
            out.target(&object.class)?;
            if !object.class.ends_with(form.words()) && form != Form::Instance {
                out.put(format_args!(" ({})", form.words()))?;
            }
            out.put(format_args!(" "))?;
            out.styled(Style::Address, &object.address.to_string())?;
        }
    }
    if let Some(length) = container.length {
        out.put(format_args!(" of {} items", number(length)))?;
    }
    if container.shared {
        out.put(format_args!(", but others hold them, too"))?;
    }
    Ok(())
}

/// Whose nearly all the container is.
fn owner(suspect: &Suspect) -> Option<&Thing> {
    match &suspect.who {
        Accused::Container(container) => container.owner.as_ref(),
        _ => None,
    }
}

fn named(out: &mut Out<'_>, object: &Thing) -> io::Result<()> {
    out.target(&object.class)?;
    out.put(format_args!(" "))?;
    out.styled(Style::Address, &object.address.to_string())?;
    out.put(format_args!(" "))?;
    out.target(&object.repr)
}

fn line(out: &mut Out<'_>) -> io::Result<()> {
    out.put(format_args!("     "))
}

fn number(number: u64) -> String {
    thousands(number)
}
