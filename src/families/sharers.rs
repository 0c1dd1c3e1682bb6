//! The thread by which multiprocessing hands descriptors to other processes (Lib/multiprocessing/
//! resource_sharer.py, in 2.7 reduction.py): whoever wants one connects to a socket of the process that has
//! it. One thread of that process accepts these connections, and serves one after the other.

use super::Member;
use super::pools::local;
use crate::addr::Addr;
use crate::python::{PyFrame, PyStack, Python};

/// The files with the function of the thread, and the modules that they are.
const SERVERS: [(&str, &str); 2] = [
    (
        "/multiprocessing/resource_sharer.py",
        "multiprocessing.resource_sharer",
    ),
    ("/multiprocessing/reduction.py", "multiprocessing.reduction"),
];

/// Where a connection is accepted.
const CONNECTIONS: &str = "/multiprocessing/connection.py";

/// The thread (LWP id) of a process that alone uses a descriptor: the socket by which the process
/// listens for those who want descriptors, or the connection that is being served.
pub(super) fn server(member: &Member, fd: i32) -> Option<i32> {
    let python = member.python.as_deref()?;
    let (file, module) = SERVERS
        .iter()
        .find_map(|(file, name)| Some((*file, python.module(name)?)))?;
    let threads = member.process.threads().iter();
    let stacks = threads
        .filter_map(|thread| Some((thread.tid, python.stack(python.thread_of(thread.tid)?))));
    let serves = |stack: &PyStack| {
        let serve = |frame: &&PyFrame| &*frame.function == "_serve" && frame.file.ends_with(file);
        let serve = stack.frames.iter().find(serve)?;
        let own = local(python, serve, "self");
        let listener = match own {
            Some(own) => python.objects.attribute(own, "_listener").ok()?,
            None => python.objects.dict_get(module, "_listener").ok()?,
        };
        let listens = || listening(python, listener?);
        let served = || {
            stack
                .frames
                .iter()
                .filter_map(|frame| served(python, frame))
        };
        (listens() == Some(fd) || served().any(|served| served == fd)).then_some(())
    };
    let mut serving = stacks.filter(|(_, stack)| serves(stack).is_some());
    Some(serving.next()?.0)
}

/// The descriptor of a `multiprocessing.connection.Listener` of sockets.
fn listening(python: &Python, listener: Addr) -> Option<i32> {
    let objects = &python.objects;
    let inner = objects.attribute(listener, "_listener").ok()??;
    let socket = objects.attribute(inner, "_socket").ok()??;
    // In 2.7 it is a wrapper with slots.
    let socket = match objects.getattr(socket, "_sock").ok().flatten() {
        Some(found) => found.value,
        None => socket,
    };
    let ty = objects.type_of(socket).ok()?;
    if !objects.is_a(&ty, "_socket.socket") {
        return None;
    }
    objects.memory.i32(objects.after(socket, 0)).ok()
}

/// The descriptor of the connection that a frame serves: the one that was accepted.
fn served(python: &Python, frame: &PyFrame) -> Option<i32> {
    let name = match &*frame.function {
        "_serve" => "conn",
        "accept" if frame.file.ends_with(CONNECTIONS) => "c",
        _ => return None,
    };
    let connection = local(python, frame, name)?;
    let objects = &python.objects;
    match objects.attribute(connection, "_handle").ok()? {
        Some(handle) => i32::try_from(objects.int(handle).ok()?).ok(),
        None => {
            let ty = objects.type_of(connection).ok()?;
            let is_old = objects.is_a(&ty, "_multiprocessing.Connection");
            let handle = || objects.memory.i32(objects.after(connection, 0)).ok();
            is_old.then(handle)?
        }
    }
}
