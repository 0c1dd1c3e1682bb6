#!/usr/bin/env python3
"""The core of a live process: pause of the target, wall time and size on disk, beside gdb's gcore.

    benches/dump.py [--pydbg target/release/pydbg] [--runs 5] [--megabytes 1700] [--threads 4]

Runs pydbg dump, dump --fork and gcore in turn on one process with that much memory in use, and prints
the medians as a Markdown table. The pause is the longest gap a spinning thread of the target saw while
the command ran; the row "nothing" shows the machine's own noise.
"""
import argparse
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import mmap
import time

from peers import HERE, run

TARGET = """
import random, sys, threading, time
megabytes, threads, pauses = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
sys.path.insert(0, sys.argv[4])
import target
random.seed(1)
noise = bytes(random.getrandbits(8) for _ in range(1 << 20))
# Small objects and large buffers, half and half.
small = [noise[i % 1000:i % 1000 + 200] + b"%d" % i for i in range(megabytes * 2000)]
large = [bytearray(noise) for _ in range(max(0, megabytes - megabytes * 2000 * 250 // 1000000))]
for _ in range(threads):
    threading.Thread(target=time.sleep, args=(10000,), daemon=True).start()
target.spin(pauses)
"""


def pause(words, action):
    """The longest gap in milliseconds while `action` ran, and its result."""
    words[8] = 1
    while words[8]:
        time.sleep(0.001)
    time.sleep(0.01)
    result = action()
    return struct.unpack("<Q", words[0:8])[0] / 1e6, result


def resident(pid):
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("Rss:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pydbg", default=os.path.join(HERE, "../target/release/pydbg"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1700)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    pydbg = os.path.abspath(options.pydbg)
    with tempfile.TemporaryDirectory(prefix="pydbg-bench-", dir=options.folder) as folder:
        pauses = os.path.join(folder, "pauses")
        words = [str(options.megabytes), str(options.threads), pauses, HERE]
        child = subprocess.Popen([options.python, "-c", TARGET] + words, stdout=subprocess.PIPE)
        try:
            pid = int(child.stdout.readline())
            with open(pauses, "r+b") as file:
                words = mmap.mmap(file.fileno(), 16)
            core = os.path.join(folder, "core.%d" % pid)
            own = [pydbg, "dump", str(pid), "-o", core]
            rows = [("pydbg dump", own),
                    ("pydbg dump --fork", own + ["--fork"]),
                    ("pydbg dump --compress lz4", own + ["--compress", "lz4"]),
                    ("pydbg dump --compress zstd", own + ["--compress", "zstd"]),
                    ("gcore", ["gcore", "-o", os.path.join(folder, "core"), str(pid)]),
                    ("nothing (noise)", ["sleep", "0.5"])]
            print("RSS %.0f MB, %d runs, medians.\n" % (resident(pid) / 1e6, options.runs))
            figures = {name: [] for name, _ in rows}
            for _ in range(options.runs):
                for name, command in rows:
                    gap, (wall, _, peak, status) = pause(words, lambda: run(command, folder))
                    if status:
                        sys.exit("%s: exit %d" % (name, status))
                    size = 0
                    if os.path.exists(core):
                        size = os.stat(core).st_blocks * 512
                        os.unlink(core)
                    figures[name].append((gap, wall, peak, size / resident(pid)))
            print("| command | longest pause, ms | (least, most) | wall s | peak MB | on disk / RSS |")
            print("|---|---|---|---|---|---|")
            for name, _ in rows:
                gap, wall, peak, size = (statistics.median(c) for c in zip(*figures[name]))
                gaps = [f[0] for f in figures[name]]
                print("| %s | %.1f | %.1f–%.1f | %.2f | %.0f | %.3f |"
                      % (name, gap, min(gaps), max(gaps), wall, peak, size))
        finally:
            child.kill()
            child.wait()


if __name__ == "__main__":
    main()
