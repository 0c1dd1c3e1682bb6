//! Sockets: Lib/socket.py over `PySocketSockObject` {int fd, family, type, proto} (probed in 2.7,
//! 3.6 to 3.15 and 3.13t). Addresses are asked of the kernel by Python's `repr`; they are not in
//! the process and are left out.

use super::writer::Writer;
use super::{Decoders, default, parts};
use crate::addr::Addr;
use crate::python::object::TypeInfo;
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("_socket.socket", inner), ("socket.socket", socket)];

/// fd, family, type, protocol.
fn numbers(w: &Writer<'_>, addr: Addr) -> Result<[i32; 4], Fault> {
    let number = |at: u64| w.objects.memory.i32(w.objects.after(addr, at));
    Ok([number(0)?, number(4)?, number(8)?, number(12)?])
}

fn inner(w: &mut Writer<'_>, addr: Addr, _: &Arc<TypeInfo>) -> Result<(), Fault> {
    let [fd, family, kind, protocol] = numbers(w, addr)?;
    let word = match parts::is_python_2(w.objects) {
        true => "protocol",
        false => "proto",
    };
    let text = format!("<socket object, fd={fd}, family={family}, type={kind}, {word}={protocol}>");
    w.push(&text);
    Ok(())
}

fn socket(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let Some(repr) = parts::own_repr(objects, ty) else {
        return default::object(w, addr, ty);
    };
    let [fd, family, kind, protocol] = numbers(w, addr)?;
    let closed = parts::field(objects, addr, "_closed")?;
    let closed = closed.is_some_and(|closed| objects.int(closed) == Ok(1));
    let closed = if closed { " [closed]" } else { "" };
    let module = parts::globals(objects, repr);
    let family = named(w, module, "AddressFamily", family);
    let kind = named(w, module, "SocketKind", kind);
    let name = objects.full_name(ty);
    let text = format!("<{name}{closed} fd={fd}, family={family}, type={kind}, proto={protocol}>");
    w.push(&text);
    Ok(())
}

/// `str` of a member of an enumeration of the module: `AddressFamily.AF_INET`, and the number
/// from 3.11 on, where the `__str__` of an `IntEnum` is that of `int`.
fn named(w: &Writer<'_>, module: Option<Addr>, class: &str, number: i32) -> String {
    let objects = w.objects;
    let member = || {
        let class_object = objects.dict_get(module?, class).ok()??;
        let ty = objects.as_type(class_object).ok()?;
        let (str, _) = objects.class_attribute(&ty, "__str__")?;
        // A function is `Enum.__str__`.
        parts::globals(objects, str)?;
        let (members, _) = objects.class_attribute(&ty, "_value2member_map_")?;
        let members = objects.dict_items(members).ok()?;
        let is_it = |key: Addr| objects.int(key) == Ok(number.into());
        let (_, member) = members.into_iter().find(|(key, _)| is_it(*key))?;
        let name = parts::field(objects, member, "_name_").ok()??;
        Some(format!("{class}.{}", parts::text(objects, name).ok()?))
    };
    member().unwrap_or_else(|| number.to_string())
}
