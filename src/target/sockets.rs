//! What the sockets of a process are connected with, by /proc/PID/net/tcp and its kin (Linux
//! net/ipv4/tcp_ipv4.c `tcp4_seq_show`, net/unix/af_unix.c `unix_seq_show`).

use super::proc::Task;
use super::proc_files::ProcFiles;
use crate::escape;
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most sockets of each kind that are looked at.
pub(super) const MOST_SOCKETS: usize = 200_000;

/// `TCP_LISTEN` of the column `st`.
pub(super) const LISTENS: &str = "0A";

/// How a line becomes an inode and words.
type Parse = fn(&[&str]) -> Option<(u64, String)>;

/// The files below /proc/PID/net, those that programs use most first.
const FILES: &[(&str, Parse)] = &[
    ("tcp", |words| internet("TCP", words)),
    ("tcp6", |words| internet("TCP", words)),
    ("unix", unix),
    ("udp", |words| internet("UDP", words)),
    ("udp6", |words| internet("UDP", words)),
];

/// Sockets by inode, in words.
pub struct Sockets {
    files: ProcFiles,
    /// What was read so far, and of how many files.
    known: FxHashMap<u64, String>,
    read: usize,
}

impl Sockets {
    /// The sockets of the network namespace of a process.
    pub fn of(files: ProcFiles) -> Sockets {
        Sockets {
            files,
            known: FxHashMap::default(),
            read: 0,
        }
    }

    /// What the socket with this inode is: `TCP 10.0.0.1:4711 to 10.0.0.2:443`. A machine may have
    /// very many sockets, so no file is read that is not needed.
    pub fn name(&mut self, inode: u64) -> Option<String> {
        loop {
            if let Some(name) = self.known.get(&inode) {
                return Some(name.clone());
            }
            let (file, parse) = *FILES.get(self.read)?;
            self.read += 1;
            let text = self.files.read(&format!("net/{file}")).unwrap_or_default();
            let text = escape::lossy(&text);
            // The first line has the names of the columns.
            let lines = text.lines().skip(1).take(MOST_SOCKETS);
            let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
            self.known.extend(words.filter_map(|words| parse(&words)));
        }
    }
}

/// The files with the lines that are of the sockets with these inodes, and the names of their
/// columns; those that have none are left out.
pub(super) fn lines_of(task: Task, inodes: &FxHashSet<u64>) -> Vec<(String, io::Result<Vec<u8>>)> {
    let file = |(file, parse): &(&str, Parse)| {
        let name = format!("net/{file}");
        let text = match task.read(&name) {
            Ok(text) => text,
            Err(error) => return Some((name, Err(error))),
        };
        let is_own = |line: &[u8]| {
            let line = escape::lossy(line);
            let words: Vec<&str> = line.split_whitespace().collect();
            parse(&words).is_some_and(|(inode, _)| inodes.contains(&inode))
        };
        let mut lines = text.split_inclusive(|byte| *byte == b'\n');
        let head = lines.next().unwrap_or_default();
        let own: Vec<&[u8]> = lines
            .take(MOST_SOCKETS)
            .filter(|line| is_own(line))
            .collect();
        (!own.is_empty()).then(|| (name, Ok([head, &own.concat()].concat())))
    };
    FILES.iter().filter_map(file).collect()
}

/// `0: 0100007F:1F90 00000000:0000 0A …`: addresses are numbers of the machine's byte order.
fn internet(protocol: &str, words: &[&str]) -> Option<(u64, String)> {
    let [_, local, remote, state, _, _, _, _, _, inode, ..] = words else {
        return None;
    };
    let (local, remote) = (address(local)?, address(remote)?);
    let text = match (*state, remote.port()) {
        (LISTENS, _) => format!("{protocol} {local}, listening"),
        (_, 0) => format!("{protocol} {local}"),
        _ => format!("{protocol} {local} to {remote}"),
    };
    Some((inode.parse().ok()?, text))
}

/// `0100007F:1F90`.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = host.get(at..at.checked_add(8)?)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let host = match host.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(host, port))
}

/// `ffff…: 00000002 00000000 00010000 0001 01 12345 /run/app.sock`.
fn unix(words: &[&str]) -> Option<(u64, String)> {
    let [_, _, _, _, _, _, inode, path @ ..] = words else {
        return None;
    };
    let inode = inode.parse().ok()?;
    Some(match path {
        [] => (inode, format!("unix socket:[{inode}]")),
        path => (inode, format!("unix socket {}", path.join(" "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    #[test]
    fn lines_of_the_kernel() {
        let listens = "0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 12345 1 0";
        let found = internet("TCP", &words(listens)).unwrap();
        assert_eq!(found, (12345, "TCP 127.0.0.1:8080, listening".to_owned()));
        let talks = "0: 0100007F:1F90 0200000A:01BB 01 0:0 00:0 0 1000 0 7 1 0";
        let found = internet("TCP", &words(talks)).unwrap().1;
        assert_eq!(found, "TCP 127.0.0.1:8080 to 10.0.0.2:443");
        let six = "0: 00000000000000000000000001000000:0050 \
                   00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 8 2 0";
        assert_eq!(internet("UDP", &words(six)).unwrap().1, "UDP [::1]:80");
        assert_eq!(internet("UDP", &words("0: x y")), None);
        let path = "0000: 00000002 00000000 00010000 0001 01 99 /run/app.sock";
        let found = unix(&words(path)).unwrap();
        assert_eq!(found, (99, "unix socket /run/app.sock".to_owned()));
    }
}
