//! Which sockets of TCP are connected with each other on one machine, by /proc/PID/net/tcp and tcp6
//! (Linux net/ipv4/tcp_ipv4.c `get_tcp4_sock`).

use super::proc::Task;
use super::sockets::{LISTENS, MOST_SOCKETS, address};
use crate::escape;
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// `TCP_ESTABLISHED` of the column `st`.
const ESTABLISHED: &str = "01";

/// The connections of TCP in one network namespace.
#[derive(Default)]
pub struct TcpSockets {
    /// The own and the other address of connected sockets, by inode.
    ends: FxHashMap<u64, (SocketAddr, SocketAddr)>,
    /// Connected sockets by these addresses.
    by_ends: FxHashMap<(SocketAddr, SocketAddr), u64>,
    /// Those that nobody has accepted: they have no inode yet.
    pending: FxHashSet<(SocketAddr, SocketAddr)>,
    /// Listening sockets by address; nothing where several share one (SO_REUSEPORT).
    listening: FxHashMap<SocketAddr, Option<u64>>,
}

impl TcpSockets {
    /// The sockets of the network namespace of a process.
    pub fn of(task: Task) -> TcpSockets {
        let mut sockets = TcpSockets::default();
        for file in ["net/tcp", "net/tcp6"] {
            let text = task.read(file).unwrap_or_default();
            let text = escape::lossy(&text);
            // The first line has the names of the columns.
            for line in text.lines().skip(1).take(MOST_SOCKETS) {
                // One that cannot be read leaves the others.
                let _ = sockets.add(line);
            }
        }
        sockets
    }

    /// `0: 0100007F:1F90 00000000:0000 0A …`
    fn add(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, _, _, _, _, _, inode, ..] = words.as_slice() else {
            return None;
        };
        // An address of IPv4 may be written as one of IPv6.
        let plain = |text| {
            let address = address(text)?;
            Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
        };
        let (local, remote, inode) = (plain(local)?, plain(remote)?, inode.parse().ok()?);
        match (*state, inode) {
            (LISTENS, _) => {
                let known = self.listening.entry(local);
                known
                    .and_modify(|known| *known = None)
                    .or_insert(Some(inode));
            }
            // One that was closed, but not yet by the other end, has no inode either.
            (ESTABLISHED, 0) => {
                self.pending.insert((local, remote));
            }
            (_, 0) => {}
            _ if remote.port() != 0 => {
                self.ends.insert(inode, (local, remote));
                self.by_ends.insert((local, remote), inode);
            }
            _ => {}
        }
        Some(())
    }

    /// The other end of a connected socket, if it is on this machine and was accepted.
    pub fn peer(&self, inode: u64) -> Option<u64> {
        let (local, remote) = self.ends.get(&inode)?;
        self.by_ends.get(&(*remote, *local)).copied()
    }

    /// The listening socket whose owner has still to accept the connection of this one.
    pub fn awaited(&self, inode: u64) -> Option<u64> {
        let (local, remote) = self.ends.get(&inode)?;
        if !self.pending.contains(&(*remote, *local)) {
            return None;
        }
        // As the kernel looks for it: by the very address, then by that of all of a family, and one of
        // IPv6 takes connections of IPv4 too.
        let any4 = remote.is_ipv4().then_some(Ipv4Addr::UNSPECIFIED.into());
        let hosts = [Some(remote.ip()), any4, Some(Ipv6Addr::UNSPECIFIED.into())];
        let mut places = hosts.into_iter().flatten();
        let known = places.find_map(|ip| self.listening.get(&SocketAddr::new(ip, remote.port())));
        *known?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(lines: &[&str]) -> TcpSockets {
        let mut sockets = TcpSockets::default();
        for line in lines {
            sockets.add(line);
        }
        sockets
    }

    const CLIENT: &str = "1: 0100007F:1111 0100007F:1F90 01 0:0 00:0 0 0 0 11 1 0";
    const SERVER: &str = "2: 0100007F:1F90 0100007F:1111 01 0:0 00:0 0 0 0 22 1 0";
    const PENDING: &str = "2: 0100007F:1F90 0100007F:1111 01 0:0 00:0 0 0 0 0 1 0";
    const CLOSED: &str = "2: 0100007F:1F90 0100007F:1111 05 0:0 00:0 0 0 0 0 1 0";
    const EXACT: &str = "0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 0 0 33 1 0";
    const ANY: &str = "0: 00000000:1F90 00000000:0000 0A 0:0 00:0 0 0 0 44 1 0";
    const ANY6: &str = "0: 00000000000000000000000000000000:1F90 \
                        00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 55 1 0";

    #[test]
    fn both_ends_on_one_machine_are_found() {
        let both = sockets(&[EXACT, CLIENT, SERVER]);
        assert_eq!((both.peer(11), both.peer(22)), (Some(22), Some(11)));
        assert_eq!(both.awaited(11), None);
        let six = "1: 0000000000000000FFFF00000100007F:1F90 \
                   0000000000000000FFFF00000100007F:1111 01 0:0 00:0 0 0 0 66 1 0";
        assert_eq!(sockets(&[CLIENT, six]).peer(11), Some(66));
        let one = sockets(&[EXACT, CLIENT]);
        assert_eq!((one.peer(11), one.awaited(11)), (None, None), "elsewhere");
        let closed = sockets(&[EXACT, CLIENT, CLOSED]);
        assert_eq!((closed.peer(11), closed.awaited(11)), (None, None));
        assert_eq!(sockets(&["", "x y", "0: 1:2 3:4 01"]).peer(0), None);
    }

    #[test]
    fn a_connection_waits_for_the_socket_that_takes_it() {
        let awaited = |listeners: &[&str]| {
            let all: Vec<&str> = [CLIENT, PENDING].iter().chain(listeners).copied().collect();
            let found = sockets(&all);
            assert_eq!(found.peer(11), None);
            found.awaited(11)
        };
        assert_eq!(awaited(&[ANY6, ANY, EXACT]), Some(33));
        assert_eq!(awaited(&[ANY6, ANY]), Some(44));
        assert_eq!(awaited(&[ANY6]), Some(55));
        assert_eq!(awaited(&[EXACT, EXACT]), None, "they share the port");
        assert_eq!(awaited(&[]), None);
    }
}
