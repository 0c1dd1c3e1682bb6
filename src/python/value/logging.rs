//! Lib/logging: loggers with their effective level, handlers with what they write to, records.

use super::writer::Writer;
use super::{Decoders, default, file, parts};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("logging.FileHandler", file_handler),
    ("logging.Handler", handler),
    ("logging.LogRecord", record),
    ("logging.Logger", logger),
    ("logging.LoggerAdapter", adapter),
    ("logging.StreamHandler", stream_handler),
];

/// The most loggers above one another.
const MOST_PARENTS: usize = 1000;

/// What `getLevelName` returns for a level, in the module that `repr` was defined in.
fn level_name(objects: &Objects, repr: Addr, level: Addr) -> Result<String, Fault> {
    let names = parts::globals(objects, repr);
    let names = names.and_then(|module| objects.dict_get(module, "_levelToName").ok()?);
    let number = objects.int(level)?;
    let names = names.and_then(|names| objects.dict_items(names).ok());
    let name = names.into_iter().flatten().find_map(|(key, name)| {
        let name = (objects.int(key).ok()? == number).then_some(name)?;
        parts::text(objects, name).ok()
    });
    Ok(name.unwrap_or_else(|| format!("Level {number}")))
}

/// The level of the nearest logger that has one.
fn effective_level(objects: &Objects, logger: Addr) -> Result<Addr, Fault> {
    let mut at = logger;
    let mut level = parts::needed(objects, at, "level")?;
    for _ in 0..MOST_PARENTS {
        if objects.int(level)? != 0 {
            break;
        }
        match parts::field(objects, at, "parent")? {
            Some(parent) if !parts::is_none(objects, parent) => at = parent,
            _ => break,
        }
        level = parts::needed(objects, at, "level")?;
    }
    Ok(level)
}

fn logger(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    write_logger(w, addr, addr, ty)
}

fn adapter(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let logger = parts::needed(w.objects, addr, "logger")?;
    write_logger(w, addr, logger, ty)
}

fn write_logger(
    w: &mut Writer<'_>,
    addr: Addr,
    logger: Addr,
    ty: &Arc<TypeInfo>,
) -> Result<(), Fault> {
    let objects = w.objects;
    let Some(repr) = parts::own_repr(objects, ty) else {
        return default::object(w, addr, ty);
    };
    let level = level_name(objects, repr, effective_level(objects, logger)?)?;
    let name = parts::needed(objects, logger, "name")?;
    w.push(&format!("<{} ", parts::short_name(objects, ty)));
    parts::plain(w, name);
    w.push(&format!(" ({level})>"));
    Ok(())
}

/// The beginning and the end of a handler's text; `None` for one without a `repr` of its own.
fn frame(
    w: &Writer<'_>,
    addr: Addr,
    ty: &Arc<TypeInfo>,
) -> Result<Option<(String, String)>, Fault> {
    let objects = w.objects;
    let Some(repr) = parts::own_repr(objects, ty) else {
        return Ok(None);
    };
    let level = level_name(objects, repr, parts::needed(objects, addr, "level")?)?;
    let name = parts::short_name(objects, ty);
    Ok(Some((format!("<{name} "), format!("({level})>"))))
}

fn handler(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    match frame(w, addr, ty)? {
        Some((open, close)) => w.push(&format!("{open}{close}")),
        None => default::object(w, addr, ty)?,
    }
    Ok(())
}

fn stream_handler(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let Some((open, close)) = frame(w, addr, ty)? else {
        return default::object(w, addr, ty);
    };
    w.push(&open);
    let mark = w.mark();
    if let Some(stream) = parts::field(w.objects, addr, "stream")? {
        match file::name(w.objects, stream)? {
            file::Name::Is(name) => parts::plain(w, name),
            file::Name::Number(fd) => w.push(&fd.to_string()),
            file::Name::Unknown => w.left_out("name not run"),
            file::Name::Missing => {}
        }
    } else if let Some(stderr) = last_resort(w, ty) {
        w.push(&stderr);
    }
    if w.mark() > mark {
        w.push(" ");
    }
    w.push(&close);
    Ok(())
}

/// The handler that writes to whatever `sys.stderr` is has no stream, but a property.
fn last_resort(w: &Writer<'_>, ty: &Arc<TypeInfo>) -> Option<String> {
    let class = w.objects.full_name(ty);
    (*class == *"logging._StderrHandler").then(|| "<stderr>".to_owned())
}

fn file_handler(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let Some((open, close)) = frame(w, addr, ty)? else {
        return default::object(w, addr, ty);
    };
    let name = parts::needed(w.objects, addr, "baseFilename")?;
    w.push(&open);
    parts::plain(w, name);
    w.push(&format!(" {close}"));
    Ok(())
}

fn record(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const FIELDS: [&str; 4] = ["name", "levelno", "pathname", "lineno"];
    let objects = w.objects;
    // Up to 3.4 it was written by `__str__` only.
    if parts::own_repr(objects, ty).is_none() {
        return default::object(w, addr, ty);
    }
    w.push("<LogRecord: ");
    for name in FIELDS {
        parts::plain(w, parts::needed(objects, addr, name)?);
        w.push(", ");
    }
    w.push("\"");
    parts::plain(w, parts::needed(objects, addr, "msg")?);
    w.push("\">");
    Ok(())
}
