#!/usr/bin/env python3
"""Whole-command time, peak memory and pause of the target: pydbg beside pystack, py-spy and gdb.

    benches/peers.py [--pydbg target/release/pydbg] [--runs 7] [--only core-4,live-1000]

Runs every command on the same cores and the same live processes, in turn (A B C A B C ...), and
prints the medians as a Markdown table, with the ratio of each peer to pydbg. pystack and py-spy come
from PyPI into a virtual environment in the cache folder. The pause is the longest gap a spinning
thread of the target saw while the command ran; the row "nothing" shows the machine's own noise.
"""
import argparse
import mmap
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("PYDBG_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pydbg")


def peers():
    """The paths of pystack and py-spy, installed on first use."""
    venv = os.path.join(CACHE, "peers")
    if not os.path.exists(os.path.join(venv, "bin", "py-spy")):
        subprocess.check_call([sys.executable, "-m", "venv", venv])
        pip = os.path.join(venv, "bin", "pip")
        subprocess.check_call([pip, "-q", "install", "pystack==1.7.0", "py-spy"])
    return os.path.join(venv, "bin", "pystack"), os.path.join(venv, "bin", "py-spy")


def run(command, cwd):
    """Wall seconds, CPU seconds, peak MB and exit status of one command."""
    start = time.perf_counter()
    with open(os.path.join(cwd, "out"), "wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode


class Target:
    """A running target.py."""

    def __init__(self, threads, depth, folder, megabytes=0):
        self.folder = folder
        pauses = os.path.join(folder, "pauses")
        script = os.path.join(HERE, "target.py")
        limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
        self.child = subprocess.Popen(
            [sys.executable, script, str(threads), str(depth), pauses, str(megabytes)],
            stdout=subprocess.PIPE, cwd=folder, preexec_fn=limit)
        self.pid = int(self.child.stdout.readline())
        with open(pauses, "r+b") as file:
            self.words = mmap.mmap(file.fileno(), 16)

    def pause(self, action):
        """The longest gap in milliseconds while `action` ran, and its result."""
        self.words[8] = 1
        while self.words[8]:
            time.sleep(0.001)
        time.sleep(0.01)
        result = action()
        return struct.unpack("<Q", self.words[0:8])[0] / 1e6, result

    def gcore(self):
        prefix = os.path.join(self.folder, "gcore")
        subprocess.check_call(["gcore", "-o", prefix, str(self.pid)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return "%s.%d" % (prefix, self.pid)

    def abort(self):
        self.child.send_signal(6)
        self.child.wait()
        names = [n for n in os.listdir(self.folder) if n == "core" or n == "core.%d" % self.pid]
        return os.path.join(self.folder, names[0])


def table(title, rows, runs, columns):
    """Runs the rows in turn, prints their medians, and returns the first one of each row."""
    figures = {name: [] for name, _ in rows}
    for round_ in range(runs + 1):
        for name, action in rows:
            result = action()
            if round_:  # the first round only warms caches
                figures[name].append(result)
    print("\n### %s\n\n| command | %s | to pydbg |" % (title, " | ".join(columns)))
    print("|---|%s---|" % ("---|" * len(columns)))
    base, firsts = None, []
    for name, _ in rows:
        medians = [statistics.median(f[i] for f in figures[name]) for i in range(len(columns))]
        statuses = {f[-1] for f in figures[name]}
        base = base or medians[0]
        firsts.append((name, medians[0]))
        failed = "" if statuses <= {0, None} else " (exit %s)" % ", ".join(map(str, statuses))
        print("| %s%s | %s | %.1f |" % (name, failed, " | ".join("%.4g" % m for m in medians),
                                       medians[0] / base))
    sys.stdout.flush()
    return firsts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pydbg", default=os.path.join(HERE, "../target/release/pydbg"))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="live-4,core-4,live-100,live-1000,core-1000")
    options = parser.parse_args()
    pydbg, only = os.path.abspath(options.pydbg), options.only.split(",")
    pystack, pyspy = peers()
    stacks = ["--batch", "-nx", "-q", "-ex", "py-bt all"]
    merged = ["--batch", "-nx", "-q", "-ex", "bt all"]
    values = ["--batch", "-nx", "-q", "-ex", "py-bt -l all"]
    print("Python %s, %d runs, medians." % (sys.version.split()[0], options.runs))
    for threads, megabytes in ((4, 0), (100, 600), (1000, 0)):
        wanted = [kind for kind in ("live", "core") if "%s-%d" % (kind, threads) in only]
        if not wanted:
            continue
        folder = tempfile.mkdtemp(prefix="pydbg-bench-")
        try:
            target = Target(threads, 50, folder, megabytes)
            slow = 1 if threads > 4 else options.runs
            if "live" in wanted:
                def live(command):
                    def action():
                        pause, result = target.pause(lambda: run(command, folder))
                        return (pause,) + result
                    return action
                pid = str(target.pid)
                rows = [("pydbg py-bt", live([pydbg, "attach", pid] + stacks)),
                        ("py-spy dump", live([pyspy, "dump", "-p", pid])),
                        ("pydbg bt", live([pydbg, "attach", pid] + merged)),
                        ("py-spy dump --native", live([pyspy, "dump", "-n", "-p", pid])),
                        ("nothing (noise)", live(["sleep", "0.05"]))]
                table("Live, %d threads of 50 frames, %d MB" % (threads, megabytes), rows, options.runs,
                      ["longest pause, ms", "wall s", "CPU s", "peak MB"])
                rows = [("pydbg py-bt", rows[0][1]),
                        ("pystack remote", live([pystack, "remote", pid]))]
                table("Live, %d threads, beside pystack" % threads, rows, slow,
                      ["longest pause, ms", "wall s", "CPU s", "peak MB"])
            if "core" in wanted:
                gcore = target.gcore()
                core = target.abort()
                rows = [("pydbg py-bt, kernel core", [pydbg, core] + stacks),
                        ("pydbg py-bt, gcore core", [pydbg, gcore] + stacks),
                        ("pydbg bt, kernel core", [pydbg, core] + merged),
                        ("py-spy dump --core", [pyspy, "dump", "--core", core]),
                        ("py-spy dump --core, gcore", [pyspy, "dump", "--core", gcore])]
                columns = ["wall s", "CPU s", "peak MB"]
                actions = [(n, lambda c=c: run(c, folder)) for n, c in rows]
                table("Core, %d threads of 50 frames" % threads, actions, options.runs, columns)
                rows = [("pydbg py-bt, kernel core", [pydbg, core] + stacks),
                        ("pystack core", [pystack, "core", core, sys.executable]),
                        ("gdb bt", ["gdb", "-batch", "-nx", "-ex", "thread apply all bt",
                                    os.path.realpath(sys.executable), core])]
                actions = [(n, lambda c=c: run(c, folder)) for n, c in rows]
                table("Core, %d threads, beside pystack and gdb" % threads, actions, slow, columns)
                rows = [("pydbg py-bt -l, kernel core", [pydbg, core] + values),
                        ("pydbg bt -l, kernel core", [pydbg, core] + merged[:-1] + ["bt -l all"]),
                        ("py-spy dump --locals --core", [pyspy, "dump", "--locals", "--core", core]),
                        ("pystack core --locals", [pystack, "core", "--locals", core, sys.executable])]
                actions = [(n, lambda c=c: run(c, folder)) for n, c in rows]
                table("Core with variables, %d threads of 50 frames" % threads, actions, slow, columns)
            if target.child.poll() is None:
                target.child.kill()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
