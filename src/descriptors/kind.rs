//! What a file descriptor leads to: kinds by the link in /proc/PID/fd (Linux fs/d_path.c, and the
//! names that `anon_inode_getfile` is called with).

use serde::Serialize;

/// What a file descriptor leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file, or what has a path and cannot be looked at.
    File,
    /// A folder.
    Directory,
    /// A terminal.
    Terminal,
    /// Another device, such as `/dev/null`.
    Device,
    /// A pipe, with or without a name.
    Pipe,
    /// A socket of TCP.
    Tcp,
    /// A socket of UDP.
    Udp,
    /// A socket within the machine.
    Unix,
    /// Another socket, or one that is neither bound nor connected.
    Socket,
    /// An instance of epoll.
    Epoll,
    /// A counter of `eventfd`.
    Eventfd,
    /// A timer.
    Timerfd,
    /// A queue of signals.
    Signalfd,
    /// A watch over files.
    Inotify,
    /// A process.
    Pidfd,
    /// Memory without a file.
    Memfd,
    /// The queues of io_uring.
    IoUring,
    /// Something else of the kernel's.
    Other,
    /// Not known: only the object that owns it is.
    Unknown,
}

impl Kind {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Directory => "folder",
            Kind::Terminal => "terminal",
            Kind::Device => "device",
            Kind::Pipe => "pipe",
            Kind::Tcp => "TCP",
            Kind::Udp => "UDP",
            Kind::Unix => "unix",
            Kind::Socket => "socket",
            Kind::Epoll => "epoll",
            Kind::Eventfd => "eventfd",
            Kind::Timerfd => "timerfd",
            Kind::Signalfd => "signalfd",
            Kind::Inotify => "inotify",
            Kind::Pidfd => "pidfd",
            Kind::Memfd => "memfd",
            Kind::IoUring => "io_uring",
            Kind::Other => "other",
            Kind::Unknown => "unknown",
        }
    }

    /// Whether it is a socket of any kind.
    pub fn is_socket(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Udp | Kind::Unix | Kind::Socket)
    }

    /// By the link, where that alone tells; what has a path is told by its type.
    pub(super) fn of_link(link: &str) -> Option<Kind> {
        // Files without a path are all called deleted.
        let anonymous = link.strip_prefix("anon_inode:");
        let anonymous = anonymous.map(|name| name.trim_matches(['[', ']']));
        Some(match anonymous {
            Some("eventpoll") => Kind::Epoll,
            Some("eventfd") => Kind::Eventfd,
            Some("timerfd") => Kind::Timerfd,
            Some("signalfd") => Kind::Signalfd,
            Some("inotify") => Kind::Inotify,
            Some("pidfd") => Kind::Pidfd,
            Some("io_uring") => Kind::IoUring,
            Some(_) => Kind::Other,
            None if link.starts_with("pipe:[") => Kind::Pipe,
            None if link.starts_with("socket:[") => Kind::Socket,
            // From Linux 6.9 on a pidfd has an inode of its own.
            None if link.starts_with("pidfd:[") => Kind::Pidfd,
            None if link.starts_with("/memfd:") => Kind::Memfd,
            None if link.starts_with('/') => return None,
            None => Kind::Other,
        })
    }

    /// By the type (`st_mode`) of the file that has this path.
    pub(super) fn of_file(link: &str, mode: Option<u32>) -> Kind {
        match mode.map(|mode| mode & libc::S_IFMT) {
            Some(libc::S_IFDIR) => Kind::Directory,
            Some(libc::S_IFIFO) => Kind::Pipe,
            Some(libc::S_IFCHR | libc::S_IFBLK) => match Kind::of_path(link) {
                Kind::Terminal => Kind::Terminal,
                _ => Kind::Device,
            },
            _ => Kind::File,
        }
    }

    /// By a path alone.
    pub(super) fn of_path(path: &str) -> Kind {
        let is = |start: &str| path.starts_with(start);
        match () {
            () if is("/dev/pts/") || is("/dev/tty") => Kind::Terminal,
            () if is("/dev/shm/") || is("/dev/hugepages/") => Kind::File,
            () if is("/dev/") => Kind::Device,
            // What is opened by /proc/self/fd/3 is what that is.
            () if is("/proc/") => Kind::Unknown,
            () => Kind::File,
        }
    }

    /// By what is said of a socket.
    pub(super) fn of_socket(name: &str) -> Kind {
        let is = |word: &str| name.starts_with(word);
        match () {
            () if is("TCP ") => Kind::Tcp,
            () if is("UDP ") => Kind::Udp,
            () if is("unix ") => Kind::Unix,
            () => Kind::Socket,
        }
    }

    /// By the family and type that a socket was made with.
    pub(super) fn of_family(family: i32, style: i32) -> Kind {
        // SOCK_NONBLOCK and SOCK_CLOEXEC are above.
        const STYLE: i32 = 0xf;
        match (family, style & STYLE) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => Kind::Tcp,
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => Kind::Udp,
            (libc::AF_UNIX, _) => Kind::Unix,
            _ => Kind::Socket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_tell_kinds() {
        let told = [
            ("anon_inode:[eventpoll]", Some(Kind::Epoll)),
            ("anon_inode:inotify", Some(Kind::Inotify)),
            ("anon_inode:bpf-map", Some(Kind::Other)),
            ("pipe:[12]", Some(Kind::Pipe)),
            ("socket:[12]", Some(Kind::Socket)),
            ("/memfd:x (deleted)", Some(Kind::Memfd)),
            ("/var/log/x", None),
            ("net:[4026531840]", Some(Kind::Other)),
        ];
        for (link, kind) in told {
            assert_eq!(Kind::of_link(link), kind, "{link}");
        }
        let style = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        assert_eq!(Kind::of_family(libc::AF_INET6, style), Kind::Tcp);
        assert_eq!(Kind::of_file("/gone (deleted)", None), Kind::File);
    }
}
