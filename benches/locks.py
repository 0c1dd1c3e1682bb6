#!/usr/bin/env python3
"""Time and memory of `locks` on cores of many threads and many locks.

    benches/locks.py [--pydbg target/release/pydbg] [--runs 7]

Each thread holds a lock by `with` and waits for another one that the next thread holds, in rings of ten;
the locks are attributes of objects in a dict. A row for each command and size.
"""
import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

import peers

SIZES = [(10, 1000), (100, 10_000), (1000, 100_000), (1000, 1_000_000)]

TARGET = """
import os, sys, threading, time
threads, count = int(sys.argv[1]), int(sys.argv[2])
class Account:
    def __init__(self):
        self.lock = threading.Lock()
accounts = {number: Account() for number in range(count)}
ready = threading.Semaphore(0)
def transfer(first, second):
    with first.lock:
        ready.release()
        start.wait()
        with second.lock:
            pass
start = threading.Event()
threading.stack_size(256 * 1024)
for number in range(threads):
    ring = number - number % 10
    other = ring + (number + 1) % 10
    arguments = accounts[number], accounts[other]
    threading.Thread(target=transfer, args=arguments, daemon=True).start()
for number in range(threads):
    ready.acquire()
start.set()
time.sleep(1)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def core(threads, count, folder):
    """A kernel core of the target."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    command = [sys.executable, "-c", TARGET, str(threads), str(count)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, preexec_fn=limit)
    child.stdout.readline()
    child.send_signal(signal.SIGABRT)
    child.wait()
    names = [name for name in os.listdir(folder) if name.startswith("core")]
    return os.path.join(folder, names[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pydbg", default=os.path.join(peers.HERE, "../target/release/pydbg"))
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    pydbg = os.path.abspath(options.pydbg)
    for threads, count in SIZES:
        folder = tempfile.mkdtemp(prefix="pydbg-bench-")
        try:
            path = core(threads, count, folder)
            commands = ["locks", "locks -a", "info threads"]
            rows = [(name, [pydbg, path, "--batch", "-nx", "-q", "-ex", name]) for name in commands]
            actions = [(name, lambda c=command: peers.run(c, folder)) for name, command in rows]
            title = "%d threads, %d locks, core of %d MB" % (threads, count, os.path.getsize(path) >> 20)
            peers.table(title, actions, options.runs, ["wall s", "CPU s", "peak MB"])
        finally:
            shutil.rmtree(folder, ignore_errors=True)


main()
