//! What programs are started and told with: `subprocess.Popen` and `argparse.Namespace`.

use super::writer::Writer;
use super::{Decoders, default, parts};
use crate::addr::Addr;
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("argparse.Namespace", namespace),
    ("subprocess.Popen", popen),
];

fn popen(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const LONGEST: usize = 80;
    const SHORTENED: usize = 76;
    let objects = w.objects;
    // Up to 3.8 it has no `repr` of its own.
    if parts::own_repr(objects, ty).is_none() {
        return default::object(w, addr, ty);
    }
    let status = parts::needed(objects, addr, "returncode")?;
    let args = parts::needed(objects, addr, "args")?;
    let mark = w.mark();
    w.push(&format!(
        "<{}: returncode: ",
        parts::short_name(objects, ty)
    ));
    w.object(status);
    w.push(" args: ");
    if w.enter(addr) {
        w.object(args);
        w.leave();
    } else {
        w.left_out("...");
    }
    w.push(">");
    if w.chars_since(mark) > LONGEST {
        w.shorten(mark, SHORTENED);
        w.push("...>");
    }
    Ok(())
}

fn namespace(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let named = objects.namespace(addr)?.into_iter();
    let named = named.map(|(name, value)| Ok((parts::text(objects, name)?, value)));
    let mut named = named.collect::<Result<Vec<_>, Fault>>()?;
    // Up to 3.8 the attributes are sorted.
    if parts::uses(objects, ty, "_get_kwargs", "sorted") {
        named.sort();
    }
    // 2.7 does not ask whether a name is one.
    let asks = parts::uses(objects, ty, "__repr__", "isidentifier");
    let is_plain = |(name, _): &(String, Addr)| !asks || is_identifier(name);
    let (plain, starred): (Vec<_>, Vec<_>) = named.into_iter().partition(is_plain);
    let total = plain.len() + usize::from(!starred.is_empty());
    let name = parts::short_name(objects, ty);
    let starred = (!starred.is_empty()).then_some(starred);
    let all = plain.into_iter().map(Argument::Plain);
    let all = all.chain(starred.map(Argument::Starred));
    w.items(
        addr,
        (&format!("{name}("), ")"),
        total,
        all,
        |w, argument| match argument {
            Argument::Plain((name, value)) => {
                w.push(&format!("{name}="));
                w.object(value);
            }
            Argument::Starred(all) => {
                for (index, (name, value)) in all.into_iter().enumerate() {
                    let open = if index == 0 { "**{" } else { ", " };
                    w.push(&format!("{open}{}: ", parts::quoted(w.objects, &name)));
                    w.object(value);
                }
                w.push("}");
            }
        },
    );
    Ok(())
}

/// What stands between two commas.
enum Argument {
    Plain((String, Addr)),
    Starred(Vec<(String, Addr)>),
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    first && chars.all(|c| c.is_alphanumeric() || c == '_')
}
