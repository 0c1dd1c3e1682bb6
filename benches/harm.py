#!/usr/bin/env python3
"""What attaching does to a process: fixtures/self_check.py counts while debuggers come, go and are killed.

    benches/harm.py [--pydbg target/release/pydbg] [--python python3] [--cycles 1000] [--kills 2000]
                    [--peers 100] [--only cycles,kills,...] [--workers 100] [--dump]

For each way of attaching and of being ended a row: how often, how often the target was held just when the
debugger was ended, threads found stopped (state T or t) or traced afterwards, signals lost or doubled, system
calls that returned EINTR, and everything else that the target holds to be wrong. Threads that were left stopped
are continued (SIGCONT), so that one row does not spoil the next. gdb and py-spy stand beside pydbg, in smaller
number: --peers. --dump adds rows for `pydbg dump`.
"""
import argparse
import glob
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import peers

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "fixtures")

# What must stay 0 whoever attaches.
FAULTS = ["foreign", "ticks_off", "early", "wrong", "corrupt", "expirations_off", "stream", "misborn", "miswaited"]

# How long a debugger may take to let go before it is said that it did not.
GRACE = 2.0


class Target:
    """A running self_check.py."""

    def __init__(self, python, workers, folder):
        library = os.path.join(folder, "self_check.so")
        source = os.path.join(FIXTURES, "self_check.c")
        subprocess.check_call(["cc", "-O1", "-g", "-pthread", "-fPIC", "-shared", source, "-o", library])
        script = os.path.join(FIXTURES, "self_check.py")
        self.child = subprocess.Popen([python, script, library, str(workers)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.pid = self.child.pid
        assert self.child.stdout.readline() == "ready\n"

    def verdict(self):
        self.child.stdin.write("verdict\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, "the target has died: %s" % self.child.wait()
        return json.loads(line)

    def tasks(self):
        """The states of the threads, and who traces them."""
        states, tracers = "", set()
        for folder in glob.glob("/proc/%d/task/*" % self.pid):
            try:
                with open(folder + "/status") as file:
                    lines = dict(line.split(":\t", 1) for line in file if ":\t" in line)
            except (FileNotFoundError, ProcessLookupError):
                continue
            states += lines["State"][0]
            tracers.add(int(lines["TracerPid"]))
        return states, tracers - {0}

    def is_held(self):
        """Whether some thread is traced just now, by a look at a few of them."""
        folders = glob.glob("/proc/%d/task/*" % self.pid)
        for folder in random.sample(folders, min(4, len(folders))):
            try:
                with open(folder + "/status") as file:
                    if "TracerPid:\t0\n" not in file.read():
                        return True
            except (FileNotFoundError, ProcessLookupError):
                pass
        return False

    def left(self):
        """How many threads stay stopped, and how many traced, when nobody holds them any more."""
        start = time.monotonic()
        while True:
            states, tracers = self.tasks()
            stopped = sum(state in "Tt" for state in states)
            if not stopped and not tracers or time.monotonic() - start > GRACE:
                return stopped, len(tracers)
            time.sleep(0.001)

    def mend(self):
        os.kill(self.pid, signal.SIGCONT)
        time.sleep(0.05)


class Row:
    """One row of the table."""

    def __init__(self, target, name):
        self.target, self.name = target, name
        self.before = target.verdict()
        self.runs = self.hits = self.left = self.failed = 0

    def look(self):
        stopped, traced = self.target.left()
        if stopped or traced:
            self.left += 1
            self.target.mend()

    def finish(self):
        after = self.target.verdict()
        gain = lambda key: after[key] - self.before[key]
        eintr = {name: after["eintr"][name] - self.before["eintr"][name] for name in after["eintr"]}
        python = {name: after["python"]["eintr"][name] - self.before["python"]["eintr"][name]
                  for name in after["python"]["eintr"]}
        faults = {key: gain(key) for key in FAULTS if gain(key)}
        for key in ("early", "wrong"):
            if after["python"][key] - self.before["python"][key]:
                faults["python " + key] = after["python"][key] - self.before["python"][key]
        stuck = after["stuck"] + after["python"]["stuck"]
        named = ", ".join("%s %d" % item for item in sorted(eintr.items()) if item[1])
        print("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %s | %d | %s |" % (
            self.name, self.runs, self.hits, self.failed, self.left, gain("sent"), gain("lost"), gain("doubled"), stuck,
            "%d%s" % (sum(eintr.values()), " (%s)" % named if named else ""), sum(python.values()),
            ", ".join("%s %d" % item for item in faults.items()) or "-"))
        sys.stdout.flush()


HEAD = ("| | runs | held when ended | tool failed | left stopped or traced | signals sent | lost | doubled | stuck threads "
        "| EINTR in C | EINTR in Python | other faults |\n|---|" + "---|" * 11)


def quiet(command, **more):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def cycles(target, name, command, count, stdin=None):
    """Runs a command to its end, again and again."""
    row = Row(target, name)
    for _ in range(count):
        child = quiet(command, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)
        child.communicate(stdin)
        row.failed += child.returncode not in (0, 3)
        row.runs += 1
        row.look()
    row.finish()


def median_time(command):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        quiet(command, stdin=subprocess.DEVNULL).wait()
        times.append(time.perf_counter() - start)
    return sorted(times)[2]


def kills(target, name, command, count, signals):
    """Ends a command by a signal at a random moment of its life, or a little later."""
    row, life = Row(target, name), median_time(command)
    while row.runs < count:
        child = quiet(command, stdin=subprocess.DEVNULL)
        time.sleep(random.uniform(0, life * 1.05))
        held = target.is_held()
        child.send_signal(signals[row.runs % len(signals)])
        child.wait()
        row.runs += 1
        row.hits += held
        row.look()
    row.finish()


def holds(target, name, command, count, signals):
    """Ends a prompt that holds the target, by a signal."""
    row = Row(target, name)
    while row.runs < count:
        child = quiet(command, stdin=subprocess.PIPE)
        start = time.monotonic()
        while not target.is_held() and time.monotonic() - start < 5:
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.01))
        row.hits += target.is_held()
        child.send_signal(signals[row.runs % len(signals)])
        child.wait()
        child.stdin.close()
        row.runs += 1
        row.look()
    row.finish()


def terminals(target, name, command, count):
    """Closes the terminal under a prompt, at a random moment."""
    row = Row(target, name)
    for _ in range(count):
        child, master = pty.fork()
        if child == 0:
            os.execvp(command[0], command)
        os.set_blocking(master, False)
        end = time.monotonic() + random.uniform(0, 0.15)
        while time.monotonic() < end:
            try:
                os.read(master, 65536)
            except OSError:
                pass
            time.sleep(0.002)
        row.hits += target.is_held()
        os.close(master)
        os.waitpid(child, 0)
        row.runs += 1
        row.look()
    row.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pydbg", default=os.path.join(HERE, "../target/release/pydbg"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--peers", type=int, default=100)
    parser.add_argument("--only", default="idle,cycles,kills,peers")
    parser.add_argument("--dump", action="store_true")
    options = parser.parse_args()
    only, pydbg = options.only.split(","), os.path.abspath(options.pydbg)
    folder = tempfile.mkdtemp(prefix="pydbg-bench-")
    target = Target(options.python, options.workers, folder)
    try:
        rows(options, only, pydbg, folder, target)
    finally:
        target.child.kill()
        shutil.rmtree(folder, ignore_errors=True)


def rows(options, only, pydbg, folder, target):
    pid = str(target.pid)
    batch = lambda line: [pydbg, "-p", pid, "--batch", "-nx", "-ex", line]
    prompt = [pydbg, "attach", pid, "-nx"]
    ended = [signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
    kill, some = [signal.SIGKILL], max(1, options.kills // 8)
    print("Python: %s; %d busy threads.\n\n%s" % (options.python, options.workers, HEAD))
    if "idle" in only:
        cycles(target, "nobody (5 s)", ["sleep", "5"], 1)
    if "cycles" in only:
        cycles(target, "pydbg `py-bt all`", batch("py-bt all"), options.cycles * 7 // 10)
        cycles(target, "pydbg `bt all`", batch("bt all"), options.cycles // 10)
        cycles(target, "pydbg `info threads`", batch("info threads"), options.cycles // 10)
        lines = b"py-bt\ncontinue\npy-bt\ninterrupt\nquit\n"
        cycles(target, "pydbg prompt: held, let go, held, quit", prompt, options.cycles // 10, lines)
    if "kills" in only:
        kills(target, "pydbg `py-bt all`, SIGKILL", batch("py-bt all"), some * 3, kill)
        kills(target, "pydbg `bt all`, SIGKILL", batch("bt all"), some * 2, kill)
        kills(target, "pydbg `heap`, SIGKILL", batch("heap"), some, kill)
        kills(target, "pydbg `py-bt all`, KILL TERM HUP INT", batch("py-bt all"), some, ended)
        holds(target, "pydbg prompt, SIGKILL", prompt, some, kill)
        holds(target, "pydbg prompt, KILL TERM HUP INT", prompt, some // 2, ended)
        terminals(target, "pydbg prompt, terminal closed", prompt, some // 2)
    if options.dump:
        core = os.path.join(folder, "core")
        dump = [pydbg, "dump", pid, "-o", core, "--force"]
        cycles(target, "pydbg `dump`", dump, options.cycles // 10)
        kills(target, "pydbg `dump`, SIGKILL", dump, some, kill)
        left = [name for name in os.listdir(folder) if name not in ("core", "self_check.so")]
        print("files left behind by killed dumps: %s" % (left or "none"))
    if "peers" in only and options.peers:
        _, pyspy = peers.peers()
        gdb = ["gdb", "-nx", "-batch", "-p", pid, "-ex", "thread apply all bt"]
        gcore = ["gcore", "-o", os.path.join(folder, "gcore"), pid]
        spy = [pyspy, "dump", "-p", pid]
        cycles(target, "py-spy `dump`", spy, options.peers * 4)
        kills(target, "py-spy `dump`, SIGKILL", spy, options.peers * 4, kill)
        cycles(target, "gdb `thread apply all bt`", gdb, options.peers // 5)
        kills(target, "gdb `thread apply all bt`, SIGKILL", gdb, options.peers, kill)
        kills(target, "gcore, SIGKILL", gcore, options.peers // 5, kill)


if __name__ == "__main__":
    main()
