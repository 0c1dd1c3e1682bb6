//! Compiled patterns and their matches (Modules/_sre): the structs are the same from 2.7 to 3.15
//! (probed in 2.7, 3.6 to 3.15 and 3.13t). 2.7 writes them as any other object.

use super::writer::Writer;
use super::{Decoders, default, parts, quote};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here; the names with underscores are those up to 3.6.
pub(super) const DECODERS: Decoders = &[
    ("re.Match", matched),
    ("re.Pattern", pattern),
    ("_sre.SRE_Match", matched),
    ("_sre.SRE_Pattern", pattern),
];

/// The flags that have names, in the order they are written. TEMPLATE is gone from 3.13 on.
const FLAGS: &[(u32, &str)] = &[
    (1, "re.TEMPLATE"),
    (2, "re.IGNORECASE"),
    (4, "re.LOCALE"),
    (8, "re.MULTILINE"),
    (16, "re.DOTALL"),
    (UNICODE, "re.UNICODE"),
    (64, "re.VERBOSE"),
    (128, "re.DEBUG"),
    (256, "re.ASCII"),
];

const UNICODE: u32 = 32;

fn pattern(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // Behind `ob_size`: groups, groupindex, indexgroup.
    const PATTERN: u64 = 32;
    const FLAG_WORD: u64 = 40;
    const LOCALE_UNICODE_ASCII: u32 = 4 | UNICODE | 256;
    const LONGEST: usize = 200;
    let objects = w.objects;
    if parts::own_repr(objects, ty).is_none() {
        return default::object(w, addr, ty);
    }
    let source = objects.memory.ptr(objects.after(addr, PATTERN))?;
    let mut bits = objects.memory.u32(objects.after(addr, FLAG_WORD))?;
    w.push("re.compile(");
    let mark = w.mark();
    w.object(source);
    w.shorten(mark, LONGEST);
    let is_text = objects.type_of(source)?.is(flags::STR);
    if is_text && bits & LOCALE_UNICODE_ASCII == UNICODE {
        bits &= !UNICODE;
    }
    let mut names = Vec::new();
    for (bit, name) in FLAGS {
        if bits & bit != 0 {
            bits &= !bit;
            names.push((*name).to_owned());
        }
    }
    if bits != 0 {
        names.push(format!("{bits:#x}"));
    }
    if !names.is_empty() {
        w.push(&format!(", {}", names.join("|")));
    }
    w.push(")");
    Ok(())
}

fn matched(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    // Behind `ob_size`: the string; regs, pattern, pos, endpos, lastindex, groups; the marks.
    const STRING: u64 = 8;
    const MARKS: u64 = 64;
    let objects = w.objects;
    if parts::own_repr(objects, ty).is_none() {
        return default::object(w, addr, ty);
    }
    let string = objects.memory.ptr(objects.after(addr, STRING))?;
    let start = objects.memory.i64(objects.after(addr, MARKS))?;
    let end = objects.memory.i64(objects.after(addr, MARKS + 8))?;
    let name = parts::tp_name(objects, ty);
    w.push(&format!("<{name} object; span=({start}, {end}), match="));
    match slice(objects, string, start, end) {
        Ok(text) => w.push(&text),
        Err(fault) => w.unreadable(string, fault),
    }
    w.push(">");
    Ok(())
}

/// `repr` of the part of a string, or of bytes, that was matched.
fn slice(objects: &Objects, string: Addr, start: i64, end: i64) -> Result<String, Fault> {
    let wrong = || malformed(string);
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(wrong());
    };
    let length = to.checked_sub(from).ok_or_else(wrong)?;
    let ty = objects.type_of(string)?;
    if !ty.is(flags::STR) {
        let data = objects.layout.fields.bytes.data.of(string);
        let size = objects.var_size(string)?;
        if !ty.is(flags::BYTES) || i64::try_from(to).map_or(true, |to| to > size) {
            return Err(wrong());
        }
        let raw = objects.memory.bytes(data.add(from as u64), length)?;
        return Ok(format!("b{}", quote::bytes(&raw)));
    }
    let (chars, _) = objects.chars(string, to)?;
    let chars = chars.get(from..to).ok_or_else(wrong)?;
    Ok(quote::text(chars, objects.layout.version))
}
