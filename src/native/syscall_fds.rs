//! File descriptors, addresses and children among the arguments of system calls, in words.

use super::syscall_words::Call;
use crate::addr::Addr;
use crate::bytes;
use crate::escape;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most file descriptors and children listed, and the most that are named besides.
const MOST_LISTED: usize = 8;
const MOST_NAMED: usize = 3;

/// Bytes of the longest address of a socket (`struct sockaddr_un`).
const MOST_ADDRESS: usize = 110;

impl Call<'_> {
    /// `fd 5 (pipe:[1])`.
    pub(super) fn fd(&self, index: usize) -> String {
        self.named("fd ", self.arg(index) as i32)
    }

    fn named(&self, before: &str, fd: i32) -> String {
        match self.outside.fd(fd) {
            Some(name) => format!("{before}{fd} ({name})"),
            None => format!("{before}{fd}"),
        }
    }

    pub(super) fn fds(&self, fds: &[i32]) -> String {
        match fds {
            [] => "no fds".into(),
            [fd] => self.named("fd ", *fd),
            _ if fds.len() <= MOST_NAMED => {
                let listed: Vec<String> = fds.iter().map(|fd| self.named("", *fd)).collect();
                format!("{} fds: {}", fds.len(), listed.join(", "))
            }
            _ => format!("{} fds ({})", fds.len(), list(fds)),
        }
    }

    /// The `struct pollfd` array of poll: int fd, short events, short revents.
    pub(super) fn polled(&self) -> String {
        let count = self.arg(1).min(65_536) as usize;
        match self.memory.bytes(Addr(self.arg(0)), count * 8) {
            Ok(raw) => {
                let fds: Vec<i32> = (0..count)
                    .filter_map(|index| bytes::i32_at(&raw, index * 8))
                    .filter(|&fd| fd >= 0)
                    .collect();
                self.fds(&fds)
            }
            Err(_) => format!("{count} fds"),
        }
    }

    /// The three `fd_set`s of select.
    pub(super) fn selected(&self) -> String {
        let count = self.arg(0).min(1024) as usize;
        let mut fds = Vec::new();
        for set in 1..=3 {
            let at = Addr(self.arg(set));
            let raw = match at.is_null() {
                true => continue,
                false => self.memory.bytes(at, count.div_ceil(64) * 8),
            };
            let Ok(raw) = raw else {
                return format!("fds below {count}");
            };
            let is_set = |fd: &usize| {
                raw.get(fd / 8)
                    .is_some_and(|byte| byte >> (fd % 8) & 1 == 1)
            };
            fds.extend((0..count).filter(is_set).map(|fd| fd as i32));
        }
        fds.sort_unstable();
        fds.dedup();
        self.fds(&fds)
    }

    /// An epoll instance, and what it watches.
    pub(super) fn epoll(&self) -> String {
        let fd = self.arg(0) as i32;
        match self.outside.watched(fd).as_slice() {
            [] => self.fd(0),
            watched => format!("fd {fd} (epoll of {})", self.fds(watched)),
        }
    }

    /// The address of a socket, ` to 10.0.0.2:443`; `at` and `length` are the arguments with it.
    pub(super) fn to(&self, at: usize, length: usize) -> String {
        let size = (self.arg(length) as u32 as usize).min(MOST_ADDRESS);
        let raw = self.memory.bytes(Addr(self.arg(at)), size);
        let address = raw.ok().and_then(|raw| socket_address(&raw));
        address.map_or(String::new(), |address| format!(" to {address}"))
    }

    /// The child with this id.
    pub(super) fn child(&self, pid: i32) -> String {
        match self.outside.child(pid) {
            Some(state) => format!("child {pid} ({state})"),
            None => format!("child {pid}"),
        }
    }

    /// `any child`, and which there are.
    pub(super) fn any_child(&self) -> String {
        match self.outside.children().as_slice() {
            [] => "any child".into(),
            [one] => format!("any child, of which there is {}", self.child(*one)),
            several => format!("any child of {} ({})", several.len(), list(several)),
        }
    }

    /// Which child `wait4` waits for.
    pub(super) fn waited(&self) -> String {
        match self.arg(0) as i32 {
            -1 => self.any_child(),
            0 => "any child of its process group".into(),
            group @ ..0 => format!("any child of process group {}", i64::from(group).abs()),
            pid => self.child(pid),
        }
    }

    /// Which child `waitid` waits for.
    pub(super) fn waited_by_id(&self) -> String {
        let id = self.arg(1) as i32;
        // P_PID, P_PGID, P_PIDFD; else P_ALL.
        match self.arg(0) {
            1 => self.child(id),
            2 => format!("any child of process group {id}"),
            3 => match self.outside.child_of_fd(id) {
                Some(pid) => format!("{} of fd {id}", self.child(pid)),
                None => format!("the child of {}", self.fd(1)),
            },
            _ => self.any_child(),
        }
    }
}

/// `1, 2, 3, …`.
fn list(numbers: &[i32]) -> String {
    let listed = numbers.iter().take(MOST_LISTED).map(i32::to_string);
    let mut listed: Vec<String> = listed.collect();
    if numbers.len() > MOST_LISTED {
        listed.push("…".into());
    }
    listed.join(", ")
}

/// A `struct sockaddr` of the internet or of the file system.
fn socket_address(raw: &[u8]) -> Option<String> {
    let family = bytes::u16_at(raw, 0)?;
    let port = || Some(u16::from_be_bytes(raw.get(2..4)?.try_into().ok()?));
    match i32::from(family) {
        libc::AF_INET => {
            let host: [u8; 4] = raw.get(4..8)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv4Addr::from(host).into(), port()?).to_string())
        }
        libc::AF_INET6 => {
            let host: [u8; 16] = raw.get(8..24)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv6Addr::from(host).into(), port()?).to_string())
        }
        libc::AF_UNIX => match raw.get(2..)? {
            // Abstract names have a NUL in front.
            [0, name @ ..] if !name.is_empty() => Some(format!("@{}", escape::lossy(name))),
            path => {
                let end = path.iter().position(|byte| *byte == 0);
                let path = path.get(..end.unwrap_or(path.len()))?;
                (!path.is_empty()).then(|| escape::lossy(path))
            }
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_sockets() {
        let said = |raw: &[u8]| socket_address(raw);
        assert_eq!(said(&[2, 0, 1, 0xbb, 10, 0, 0, 2]).unwrap(), "10.0.0.2:443");
        let mut six = vec![10, 0, 0, 80, 0, 0, 0, 0];
        six.extend([0; 15]);
        six.push(1);
        assert_eq!(said(&six).unwrap(), "[::1]:80");
        assert_eq!(said(b"\x01\0/run/x\0zz").unwrap(), "/run/x");
        assert_eq!(said(b"\x01\0\0abc").unwrap(), "@abc");
        assert_eq!(said(b"\x01\0"), None);
        assert_eq!(said(b"\x02\0\0"), None);
        assert_eq!(said(b""), None);
    }
}
