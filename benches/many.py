#!/usr/bin/env python3
"""`pydbg ps` and `attach --tree` on a family of many processes: wall and CPU time, peak memory.

    benches/many.py [--pydbg target/release/pydbg] [--processes 300] [--runs 7]

The processes are forks of this interpreter that sleep. Medians, as a Markdown table; --pydbg may be given several
times to compare builds, which then run in turn.
"""
import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time

LIFETIME = 1800


def family(count):
    """The parent of `count` processes that sleep."""
    read, write = os.pipe()
    parent = os.fork()
    if parent:
        os.close(write)
        os.read(read, 1)
        os.close(read)
        return parent
    signal.alarm(LIFETIME)
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            signal.alarm(LIFETIME)
            time.sleep(LIFETIME)
        children.append(child)
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(child, signal.SIGKILL) for child in children] and os._exit(0))
    os.write(write, b"x")
    time.sleep(LIFETIME)


def measure(command):
    """Wall seconds, CPU seconds and peak MB of one command."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        assert child.returncode == 0, out.read()
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--pydbg", action="append")
    arguments.add_argument("--processes", type=int, default=300)
    arguments.add_argument("--runs", type=int, default=7)
    arguments = arguments.parse_args()
    programs = arguments.pydbg or ["target/release/pydbg"]
    parent = family(arguments.processes)
    pid = str(parent)
    lines = {"ps": ["ps", pid], "attach --tree, stacks": ["attach", "--tree", pid, "-q", "-batch", "-nx", "-ex", "stacks"],
             "locks --tree": ["attach", pid, "-q", "-batch", "-nx", "-ex", "locks --tree"]}
    taken = {}
    try:
        for _ in range(arguments.runs):
            for name, words in lines.items():
                for program in programs:
                    taken.setdefault((name, program), []).append(measure([program] + words))
    finally:
        os.kill(parent, signal.SIGTERM)
        os.waitpid(parent, 0)
    print("| command | program | wall, s | CPU, s | peak MB |\n|---|---|---|---|---|")
    for (name, program), all in taken.items():
        wall, cpu, peak = (statistics.median(column) for column in zip(*all))
        print("| %s | %s | %.2f | %.2f | %.0f |" % (name, program, wall, cpu, peak))


main()
