//! `datetime` and its kin (Modules/_datetimemodule.c), their pure Python twins
//! (Lib/_pydatetime.py, up to 3.11 in Lib/datetime.py), and `zoneinfo.ZoneInfo`.
//!
//! The structs of C are packed bytes and the same from 2.7 to 3.15 but for the object's header
//! (probed in 2.7, 3.6 to 3.15 and 3.13t): the year in two bytes, the microsecond in three, all
//! big-endian. 2.7 has no `fold`; its byte is padding there.

use super::Decoders;
use super::parts;
use super::writer::Writer;
use crate::addr::Addr;
use crate::bytes;
use crate::python::object::{TypeInfo, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here; 3.12's twins say which module they are really in.
pub(super) const DECODERS: Decoders = &[
    ("datetime.date", date),
    ("datetime.datetime", datetime),
    ("datetime.time", time),
    ("datetime.timedelta", timedelta),
    ("datetime.timezone", timezone),
    ("_pydatetime.date", date),
    ("_pydatetime.datetime", datetime),
    ("_pydatetime.time", time),
    ("_pydatetime.timedelta", timedelta),
    ("_pydatetime.timezone", timezone),
    ("zoneinfo.ZoneInfo", zone_info),
];

/// The parts of a point in time.
struct Moment {
    /// The year, month and day, as far as the type has them; then hour, minute, second and
    /// microsecond, as far as it has them.
    numbers: Vec<i128>,
    fold: bool,
    zone: Option<Addr>,
}

/// Whether the class is the pure Python twin, whose slots have underscored names.
fn is_pure(w: &Writer<'_>, ty: &Arc<TypeInfo>, slot: &str) -> bool {
    w.objects.class_attribute(ty, slot).is_some()
}

/// The class as `repr` names it: C takes `tp_name`, the twin module and qualified name.
fn class_name(w: &Writer<'_>, ty: &Arc<TypeInfo>, pure: bool) -> String {
    match pure {
        true => {
            let name = w.objects.full_name(ty);
            match name.strip_prefix("_pydatetime.") {
                Some(name) => format!("datetime.{name}"),
                None => name.to_string(),
            }
        }
        false => parts::tp_name(w.objects, ty),
    }
}

/// The integers in the slots of a pure Python twin.
fn slots(w: &Writer<'_>, addr: Addr, names: &[&str]) -> Result<Vec<i128>, Fault> {
    let number = |name: &&str| {
        let value = parts::needed(w.objects, addr, name)?;
        w.objects.int(value)
    };
    names.iter().map(number).collect()
}

fn pure_moment(w: &Writer<'_>, addr: Addr, names: &[&str]) -> Result<Moment, Fault> {
    let zone = parts::field(w.objects, addr, "_tzinfo")?;
    let fold = parts::field(w.objects, addr, "_fold")?;
    Ok(Moment {
        numbers: slots(w, addr, names)?,
        fold: fold.is_some_and(|fold| w.objects.int(fold) == Ok(1)),
        zone: zone.filter(|zone| !parts::is_none(w.objects, *zone)),
    })
}

/// Behind the header: the hash (8 bytes), `hastzinfo` (1), packed bytes, `fold` (1), and at the
/// next multiple of 8 the zone.
fn packed_moment(
    w: &Writer<'_>,
    addr: Addr,
    ty: &Arc<TypeInfo>,
    (date, clock): (bool, bool),
) -> Result<Moment, Fault> {
    const HAS_ZONE: u64 = 8;
    const DATA: u64 = 9;
    let objects = w.objects;
    let length = if date { 4 } else { 0 } + if clock { 6 } else { 0 };
    let raw = objects
        .memory
        .bytes(objects.after(addr, DATA), length + 1)?;
    let byte = |index: usize| bytes::u8_at(&raw, index).map_or(0, i128::from);
    let mut numbers = Vec::new();
    if date {
        numbers.extend([byte(0) << 8 | byte(1), byte(2), byte(3)]);
    }
    let mut moment = Moment {
        numbers,
        fold: false,
        zone: None,
    };
    if clock {
        let at = length - 6;
        let micro = byte(at + 3) << 16 | byte(at + 4) << 8 | byte(at + 5);
        let clock = [byte(at), byte(at + 1), byte(at + 2), micro];
        moment.numbers.extend(clock);
        moment.fold = byte(length) == 1 && objects.class_attribute(ty, "fold").is_some();
        if objects.memory.u8(objects.after(addr, HAS_ZONE))? != 0 {
            let zone = (DATA + length as u64 + 1).next_multiple_of(8);
            moment.zone = Some(objects.memory.ptr(objects.after(addr, zone))?);
        }
    }
    Ok(moment)
}

fn join(numbers: &[i128]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i128::to_string).collect();
    numbers.join(", ")
}

/// Leaves out the microsecond, and then the second, where they are zero.
fn without_zeros(mut numbers: Vec<i128>) -> Vec<i128> {
    for _ in 0..2 {
        if numbers.last() != Some(&0) {
            break;
        }
        numbers.pop();
    }
    numbers
}

fn date(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let pure = is_pure(w, ty, "_year");
    let moment = match pure {
        true => pure_moment(w, addr, &["_year", "_month", "_day"])?,
        false => packed_moment(w, addr, ty, (true, false))?,
    };
    let name = class_name(w, ty, pure);
    w.push(&format!("{name}({})", join(&moment.numbers)));
    Ok(())
}

fn datetime(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const NAMES: &[&str] = &[
        "_year",
        "_month",
        "_day",
        "_hour",
        "_minute",
        "_second",
        "_microsecond",
    ];
    let pure = is_pure(w, ty, "_year");
    let moment = match pure {
        true => pure_moment(w, addr, NAMES)?,
        false => packed_moment(w, addr, ty, (true, true))?,
    };
    // C writes the fold first, the twin the zone.
    write_moment(w, addr, &class_name(w, ty, pure), moment, !pure);
    Ok(())
}

fn time(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const NAMES: &[&str] = &["_hour", "_minute", "_second", "_microsecond"];
    let pure = is_pure(w, ty, "_hour");
    let moment = match pure {
        true => pure_moment(w, addr, NAMES)?,
        false => packed_moment(w, addr, ty, (false, true))?,
    };
    write_moment(w, addr, &class_name(w, ty, pure), moment, false);
    Ok(())
}

fn write_moment(w: &mut Writer<'_>, addr: Addr, name: &str, moment: Moment, fold_first: bool) {
    let Moment {
        numbers,
        fold,
        zone,
    } = moment;
    w.push(&format!("{name}({}", join(&without_zeros(numbers))));
    if fold && fold_first {
        w.push(", fold=1");
    }
    if let Some(zone) = zone {
        w.push(", tzinfo=");
        nested(w, addr, zone);
    }
    if fold && !fold_first {
        w.push(", fold=1");
    }
    w.push(")");
}

/// Writes an object within another one.
fn nested(w: &mut Writer<'_>, outer: Addr, inner: Addr) {
    if w.enter(outer) {
        w.object(inner);
        w.leave();
    } else {
        w.left_out("...");
    }
}

fn timedelta(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    const NAMES: &[&str] = &["_days", "_seconds", "_microseconds"];
    // Behind the hash.
    const DATA: u64 = 8;
    let pure = is_pure(w, ty, "_days");
    let numbers = match pure {
        true => slots(w, addr, NAMES)?,
        false => {
            let raw = w.objects.memory.bytes(w.objects.after(addr, DATA), 12)?;
            let number = |index: usize| bytes::i32_at(&raw, index * 4).map(i128::from);
            (0..3).filter_map(number).collect()
        }
    };
    let [days, seconds, micros] = numbers[..] else {
        return Err(malformed(addr));
    };
    let name = class_name(w, ty, pure);
    let text = if w.objects.layout.kinds.library.timedelta_keywords {
        let named = [
            ("days", days),
            ("seconds", seconds),
            ("microseconds", micros),
        ];
        let named = named.into_iter().filter(|(_, value)| *value != 0);
        let named: Vec<String> = named
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        match named.is_empty() {
            true => "0".to_owned(),
            false => named.join(", "),
        }
    } else {
        match (seconds, micros) {
            (0, 0) => join(&[days]),
            (_, 0) => join(&[days, seconds]),
            _ => join(&[days, seconds, micros]),
        }
    };
    w.push(&format!("{name}({text})"));
    Ok(())
}

fn timezone(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    if let Some((utc, _)) = objects.class_attribute(ty, "utc")
        && utc == addr
    {
        w.push("datetime.timezone.utc");
        return Ok(());
    }
    let pure = is_pure(w, ty, "_offset");
    let (offset, name) = match pure {
        true => {
            let offset = parts::needed(objects, addr, "_offset")?;
            (offset, parts::field(objects, addr, "_name")?)
        }
        false => {
            let offset = objects.memory.ptr(objects.after(addr, 0))?;
            (offset, Some(objects.memory.ptr(objects.after(addr, 8))?))
        }
    };
    let name = name.filter(|name| !name.is_null() && !parts::is_none(objects, *name));
    w.push(&format!("{}(", class_name(w, ty, pure)));
    nested(w, addr, offset);
    if let Some(name) = name {
        w.push(", ");
        nested(w, addr, name);
    }
    w.push(")");
    Ok(())
}

fn zone_info(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    // C declares `key` as a member, and what the file was read from follows it.
    let key = objects.class_attribute(ty, "key");
    let key = key.and_then(|(key, _)| objects.slot_offset(key));
    let (name, key, file) = match key {
        Some(offset) => {
            let key = objects.memory.ptr(addr.add(offset))?;
            let file = objects.memory.ptr(addr.add(offset).add(8))?;
            (parts::tp_name(objects, ty), key, Some(file))
        }
        None => {
            let key = parts::needed(objects, addr, "_key")?;
            let file = parts::field(objects, addr, "_file_repr")?;
            (parts::short_name(objects, ty), key, file)
        }
    };
    if !parts::is_none(objects, key) {
        w.push(&format!("{name}(key="));
        w.object(key);
    } else {
        w.push(&format!("{name}.from_file("));
        parts::plain(w, file.ok_or_else(|| malformed(addr))?);
    }
    w.push(")");
    Ok(())
}
