//! One request to a server. It runs in a thread of its own: a server that hangs must not keep the
//! user waiting after Ctrl-C, and a slow one is given up by the rule of elfutils, so many seconds
//! for each 100 KB.
//!
//! Proxies are those of the environment, as `ureq` finds them (`HTTPS_PROXY`, `NO_PROXY`…).

use super::cache::Part;
use super::{Failure, Servers};
use crate::diag::{Cancel, Progress, Step, Unit, human};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, http::Response};

/// What a server must send in the time it is given.
const LEAST: u64 = 100_000;
/// How often the waiting side looks up.
const TICK: Duration = Duration::from_millis(50);
/// How long a connection may take: longer than any network, shorter than patience.
const CONNECT: Duration = Duration::from_secs(20);
/// Where distributions keep the certificates of those they trust: Debian, Fedora, SUSE, Alpine.
const CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// One file that is wanted.
pub(super) struct Wanted<'a> {
    /// Its address.
    pub(super) url: String,
    /// What to tell the user meanwhile.
    pub(super) what: String,
    /// The limits.
    pub(super) servers: &'a Servers,
    /// Ctrl-C.
    pub(super) cancel: &'a Cancel,
    /// Hears how far it is.
    pub(super) progress: &'a Progress,
}

/// Makes requests.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
}

/// What the thread and the waiting side share.
#[derive(Default)]
struct Shared {
    got: AtomicU64,
    /// 0 while it is not known.
    total: AtomicU64,
    given_up: AtomicBool,
}

impl Http {
    /// Trusts whom the machine trusts, so that a company's own servers work; without a list of the
    /// machine's, whom Mozilla trusts.
    pub(super) fn new() -> Http {
        let files = CERTIFICATES.iter().map(Path::new);
        let tls = TlsConfig::builder().root_certs(roots(files)).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("pydbg/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            // A server may close an idle connection just as the next request goes out, which would
            // look like a server that does not answer.
            .max_idle_connections(0)
            .build();
        Http {
            agent: config.new_agent(),
        }
    }

    /// Fetches a file into `part`.
    pub(super) fn get(&self, wanted: &Wanted<'_>, part: Part) -> Result<Part, Failure> {
        let shared = Arc::new(Shared::default());
        let (send, done) = sync_channel(1);
        let request = Request {
            agent: self.agent.clone(),
            url: wanted.url.clone(),
            timeout: wanted.servers.timeout,
            max_size: wanted.servers.max_size,
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new().name("debuginfod".into());
        let work = move || {
            // Nobody listens when it was given up.
            let _ = send.send(request.run(part));
        };
        let started = thread.spawn(work);
        started.map_err(|error| Failure::Server(format!("cannot be asked: {error}")))?;
        let result = wait(wanted, &shared, &done);
        shared.given_up.store(true, Ordering::Relaxed);
        result
    }
}

/// Waits for the thread, but not longer than the user and the limits allow.
fn wait(
    wanted: &Wanted<'_>,
    shared: &Shared,
    done: &Receiver<Result<Part, Failure>>,
) -> Result<Part, Failure> {
    let begun = Instant::now();
    let mut period = (begun, 0);
    loop {
        let result = match done.recv_timeout(TICK) {
            Ok(result) => Some(result),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Server("cannot be asked: the thread ended".into()));
            }
        };
        let got = shared.got.load(Ordering::Relaxed);
        let total = shared.total.load(Ordering::Relaxed);
        wanted.progress.tell(&Step {
            what: &wanted.what,
            done: got,
            total: (total > 0).then_some(total),
            unit: Unit::Bytes,
        });
        if let Some(result) = result {
            return result;
        }
        if wanted.cancel.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let limit = wanted.servers.max_time;
        if limit.is_some_and(|limit| begun.elapsed() > limit) {
            return Err(Failure::File(format!(
                "took more than {} s",
                begun.elapsed().as_secs()
            )));
        }
        let (since, before) = period;
        if since.elapsed() > wanted.servers.timeout {
            if got.saturating_sub(before) < LEAST {
                return Err(Failure::Server(format!(
                    "sent less than {} in {} s",
                    human(LEAST),
                    wanted.servers.timeout.as_secs()
                )));
            }
            period = (Instant::now(), got);
        }
    }
}

/// What the thread needs.
struct Request {
    agent: Agent,
    url: String,
    timeout: Duration,
    max_size: u64,
    shared: Arc<Shared>,
}

impl Request {
    fn run(&self, mut part: Part) -> Result<Part, Failure> {
        let request = self
            .agent
            .get(&self.url)
            .config()
            // The waiting side holds the limits; these let the thread end, too.
            .timeout_recv_response(Some(self.timeout))
            .timeout_per_read(Some(self.timeout))
            .build()
            .header("X-DEBUGINFOD-MAXSIZE", self.max_size.to_string());
        let response = request.call().map_err(|error| server(&error))?;
        match response.status().as_u16() {
            200 => self.store(response, &mut part).map(|()| part),
            404 => Err(Failure::Unknown),
            406 => Err(self.too_large()),
            status => Err(Failure::File(format!("answered with status {status}"))),
        }
    }

    fn store(&self, response: Response<Body>, part: &mut Part) -> Result<(), Failure> {
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok()?.trim().parse::<u64>().ok()
        };
        // The server says the size even where HTTP itself does not (chunks).
        let size = header("content-length").or_else(|| header("x-debuginfod-size"));
        if size.is_some_and(|size| size > self.max_size) {
            return Err(self.too_large());
        }
        self.shared
            .total
            .store(size.unwrap_or(0), Ordering::Relaxed);
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 64 << 10];
        let mut got = 0u64;
        while !self.shared.given_up.load(Ordering::Relaxed) {
            let len = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Server(format!("broke off: {error}"))),
            };
            got = got.saturating_add(len as u64);
            if got > self.max_size {
                return Err(self.too_large());
            }
            let stored = part.file.write_all(buffer.get(..len).unwrap_or_default());
            stored.map_err(|error| {
                Failure::File(format!("sent what cannot be stored in the cache ({error})"))
            })?;
            self.shared.got.store(got, Ordering::Relaxed);
        }
        match size.is_none_or(|size| size == got) {
            true => Ok(()),
            false => Err(Failure::Server("broke off".into())),
        }
    }

    fn too_large(&self) -> Failure {
        Failure::File(format!(
            "has more than the {} that are allowed (DEBUGINFOD_MAXSIZE)",
            human(self.max_size)
        ))
    }
}

fn server(error: &ureq::Error) -> Failure {
    Failure::Server(format!("does not answer: {error}"))
}

/// The certificates in the first of the files that has any.
fn roots<'a>(files: impl Iterator<Item = &'a Path>) -> RootCerts {
    for file in files {
        let pem = std::fs::read(file).unwrap_or_default();
        let all: Vec<_> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if !all.is_empty() {
            return RootCerts::from(all);
        }
    }
    RootCerts::WebPki
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_of_the_machine_come_first() {
        let none = roots([Path::new("/none"), Path::new("/etc/hostname")].into_iter());
        assert!(matches!(none, RootCerts::WebPki));
    }
}
