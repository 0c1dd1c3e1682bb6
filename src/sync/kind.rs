//! The kinds of locks and of what else threads wait for.

use serde::Serialize;

/// What kind of lock or wait it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The GIL of an interpreter.
    Gil,
    /// `threading.Lock`.
    Lock,
    /// `threading.RLock`.
    RLock,
    /// `threading.Condition`, until it is notified.
    Condition,
    /// `threading.Event`, until it is set.
    Event,
    /// `threading.Semaphore` and `BoundedSemaphore`.
    Semaphore,
    /// `threading.Barrier`.
    Barrier,
    /// `queue.Queue` and its subclasses.
    Queue,
    /// `queue.SimpleQueue`.
    SimpleQueue,
    /// `concurrent.futures.Future`.
    Future,
    /// A thread that is waited for with `Thread.join`.
    Thread,
    /// The lock of a module that is being imported (`importlib._bootstrap._ModuleLock`).
    ModuleLock,
    /// The lock of all imports of an interpreter.
    ImportLock,
    /// `multiprocessing.Lock` and `RLock`.
    ProcessLock,
    /// `multiprocessing.Semaphore` and what is made of it.
    ProcessSemaphore,
    /// A `PyMutex` of CPython or of an extension (3.13 and later).
    PyMutex,
    /// A `PyEvent` of CPython (3.13 and later).
    PyEvent,
    /// The lock of one object in a free-threaded build, which critical sections take.
    ObjectLock,
    /// A world that is stopped by a thread of a free-threaded build.
    World,
    /// The lock of a buffered file (`io.BufferedReader` and its like).
    BufferedFile,
    /// A `pthread_mutex_t`, or a `std::mutex`.
    Mutex,
    /// A `pthread_rwlock_t`, or a `std::shared_mutex`.
    RwLock,
    /// A `pthread_cond_t`, or a `std::condition_variable`.
    ConditionVariable,
    /// A `sem_t`.
    NativeSemaphore,
    /// A `pthread_barrier_t`.
    NativeBarrier,
    /// A thread that is waited for with `pthread_join`.
    NativeThread,
    /// A `pthread_once_t`, or a `std::once_flag`.
    Once,
    /// The guard of a static variable that C++ initialises on first use.
    StaticGuard,
    /// The lock of a `FILE` of stdio.
    Stream,
    /// One of the locks of the dynamic loader.
    Loader,
    /// The lock of an arena of malloc.
    Arena,
    /// A lock on a file: `flock` or `fcntl`. Its address is the file descriptor.
    FileLock,
}

impl Kind {
    /// In a person's words.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Gil => "GIL",
            Kind::Lock => "threading.Lock",
            Kind::RLock => "threading.RLock",
            Kind::Condition => "threading.Condition",
            Kind::Event => "threading.Event",
            Kind::Semaphore => "threading.Semaphore",
            Kind::Barrier => "threading.Barrier",
            Kind::Queue => "queue.Queue",
            Kind::SimpleQueue => "queue.SimpleQueue",
            Kind::Future => "concurrent.futures.Future",
            Kind::Thread => "threading.Thread",
            Kind::ModuleLock => "lock of a module's import",
            Kind::ImportLock => "import lock",
            Kind::ProcessLock => "multiprocessing.Lock",
            Kind::ProcessSemaphore => "multiprocessing.Semaphore",
            Kind::PyMutex => "PyMutex",
            Kind::PyEvent => "PyEvent",
            Kind::ObjectLock => "lock of an object",
            Kind::World => "stopped world",
            Kind::BufferedFile => "lock of a buffered file",
            Kind::Mutex => "pthread mutex",
            Kind::RwLock => "pthread rwlock",
            Kind::ConditionVariable => "pthread condition variable",
            Kind::NativeSemaphore => "semaphore (sem_t)",
            Kind::NativeBarrier => "pthread barrier",
            Kind::NativeThread => "native thread",
            Kind::Once => "pthread_once",
            Kind::StaticGuard => "C++ static initialisation",
            Kind::Stream => "lock of a stdio FILE",
            Kind::Loader => "lock of the dynamic loader",
            Kind::Arena => "lock of a malloc arena",
            Kind::FileLock => "file lock",
        }
    }

    /// Whether it is an object on which only Python code acts, and which nobody holds.
    pub(super) fn is_made_in_python(self) -> bool {
        matches!(
            self,
            Kind::Condition
                | Kind::Event
                | Kind::Semaphore
                | Kind::Barrier
                | Kind::Queue
                | Kind::SimpleQueue
                | Kind::Future
        )
    }

    /// Whether its address is that of a Python object, so that variables may lead to it.
    pub(super) fn is_object(self) -> bool {
        let others = matches!(
            self,
            Kind::Lock
                | Kind::RLock
                | Kind::Thread
                | Kind::ModuleLock
                | Kind::ProcessLock
                | Kind::ProcessSemaphore
                | Kind::ObjectLock
                | Kind::BufferedFile
        );
        others || self.is_made_in_python()
    }

    /// Whether a thread holds it, so that "held" and "released" are the words; the others are
    /// awaited until somebody does something.
    pub fn is_held(self) -> bool {
        let awaited = matches!(
            self,
            Kind::Thread
                | Kind::ProcessSemaphore
                | Kind::PyEvent
                | Kind::World
                | Kind::ConditionVariable
                | Kind::NativeSemaphore
                | Kind::NativeBarrier
                | Kind::NativeThread
        );
        !awaited && !self.is_made_in_python()
    }

    /// Whether C code waits for it as well as Python: which C code, is then worth saying.
    pub(super) fn is_native(self) -> bool {
        let python = [Kind::ImportLock, Kind::World, Kind::PyEvent].contains(&self);
        self == Kind::ObjectLock || !(python || self.is_object())
    }
}
