//! Numbers that are written as text: `uuid.UUID` (Lib/uuid.py) and the addresses, networks and
//! interfaces of Lib/ipaddress.py.

use super::writer::Writer;
use super::{Decoders, parts};
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, malformed};
use crate::target::Fault;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[
    ("ipaddress.IPv4Address", |w, addr, ty| {
        interface(w, addr, ty, v4)
    }),
    ("ipaddress.IPv4Network", |w, addr, ty| {
        network(w, addr, ty, v4)
    }),
    ("ipaddress.IPv6Address", |w, addr, ty| {
        interface(w, addr, ty, v6)
    }),
    ("ipaddress.IPv6Network", |w, addr, ty| {
        network(w, addr, ty, v6)
    }),
    ("uuid.UUID", uuid),
];

/// The text of an address object.
type Text = fn(&Objects, Addr) -> Result<String, Fault>;

fn uuid(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let number = parts::natural(w.objects, parts::needed(w.objects, addr, "int")?)?;
    let hex = format!("{number:032x}");
    let mut text = String::new();
    for (index, digit) in hex.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    match parts::is_python_2(w.objects) {
        true => w.push(&format!("UUID('{text}')")),
        false => w.push(&format!("{}('{text}')", parts::short_name(w.objects, ty))),
    }
    Ok(())
}

/// An address, or one with the length of its network's prefix behind it.
fn interface(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>, text: Text) -> Result<(), Fault> {
    let objects = w.objects;
    let mut address = text(objects, addr)?;
    let interfaces = ["ipaddress.IPv4Interface", "ipaddress.IPv6Interface"];
    if interfaces.iter().any(|name| objects.is_a(ty, name)) {
        // The network is an object of its own, which has the prefix in every version.
        let network = parts::needed(objects, addr, "network")?;
        address.push_str(&format!("/{}", prefix(objects, network)?));
    }
    let name = parts::short_name(objects, ty);
    w.push(&format!("{name}({})", parts::quoted(objects, &address)));
    Ok(())
}

fn network(w: &mut Writer<'_>, addr: Addr, ty: &Arc<TypeInfo>, text: Text) -> Result<(), Fault> {
    let objects = w.objects;
    let address = text(objects, parts::needed(objects, addr, "network_address")?)?;
    let address = format!("{address}/{}", prefix(objects, addr)?);
    let name = parts::short_name(objects, ty);
    w.push(&format!("{name}({})", parts::quoted(objects, &address)));
    Ok(())
}

fn prefix(objects: &Objects, network: Addr) -> Result<i128, Fault> {
    objects.int(parts::needed(objects, network, "_prefixlen")?)
}

fn v4(objects: &Objects, addr: Addr) -> Result<String, Fault> {
    let number = parts::natural(objects, parts::needed(objects, addr, "_ip")?)?;
    let number = u32::try_from(number).map_err(|_| malformed(addr))?;
    Ok(Ipv4Addr::from(number).to_string())
}

fn v6(objects: &Objects, addr: Addr) -> Result<String, Fault> {
    let number = parts::natural(objects, parts::needed(objects, addr, "_ip")?)?;
    let ty = objects.type_of(addr)?;
    let address = Ipv6Addr::from(number);
    // From 3.13 on IPv4 addresses within IPv6 are written with dots.
    let dotted = parts::uses(objects, &ty, "__str__", "_ipv4_mapped_ipv6_to_str");
    let mut text = match address.to_ipv4_mapped() {
        Some(inner) if dotted => format!("::ffff:{inner}"),
        _ => compressed(address),
    };
    if let Some(scope) = parts::field(objects, addr, "_scope_id")?
        && !parts::is_none(objects, scope)
    {
        text.push('%');
        text.push_str(&parts::text(objects, scope)?);
    }
    Ok(text)
}

/// The groups in hexadecimal, the first longest run of two or more zeros left out.
fn compressed(address: Ipv6Addr) -> String {
    let groups = address.segments();
    let run = |start: usize| {
        let tail = groups.iter().skip(start);
        tail.take_while(|group| **group == 0).count()
    };
    let longest = (0..groups.len()).max_by_key(|start| (run(*start), usize::MAX - start));
    let hex = |groups: &[u16]| {
        let groups: Vec<String> = groups.iter().map(|group| format!("{group:x}")).collect();
        groups.join(":")
    };
    match longest {
        Some(start) if run(start) > 1 => {
            let (head, rest) = groups.split_at(start);
            let (_, tail) = rest.split_at(run(start));
            format!("{}::{}", hex(head), hex(tail))
        }
        _ => hex(&groups),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_of_zeros_is_left_out() {
        let text = |text: &str| compressed(text.parse().unwrap());
        assert_eq!(text("::"), "::");
        assert_eq!(text("::1"), "::1");
        assert_eq!(text("2001:db8::"), "2001:db8::");
        assert_eq!(text("1:0:0:2:0:0:0:3"), "1:0:0:2::3");
        assert_eq!(text("1:0:0:2:0:0:4:3"), "1::2:0:0:4:3");
        assert_eq!(text("1:2:3:4:5:6:0:8"), "1:2:3:4:5:6:0:8");
        assert_eq!(text("::ffff:1.2.3.4"), "::ffff:102:304");
    }
}
