#!/usr/bin/env python3
"""Time and memory of `heap`, the whole graph, `memory` and `garbage` on cores of many mixed objects, and of guppy3 inside
such a process.

    benches/heap.py [--pydbg target/release/pydbg] [--python python3.11] [--sizes 1,5,20,32] [--runs 3]
                    [--svg docs/heap-cost.svg] [--guppy]

One object in thirteen is an instance with two attributes, and there are lists, tuples, dicts, objects with
slots, strings, ints and floats beside. With `--guppy` the same process also counts its own heap by guppy3,
which must be installed for that Python.
"""
import argparse
import os
import resource
import shutil
import signal
import subprocess
import tempfile

import peers

TARGET = """
import gc, os, sys, time
million, guppy = float(sys.argv[1]), sys.argv[2] == "guppy"
class Plain(object):
    def __init__(self, name, number):
        self.name, self.number = name, number
class Slotted(object):
    __slots__ = ("first", "second")
    def __init__(self, first, second):
        self.first, self.second = first, second
gc.disable()
kept = []
for number in range(int(million * 1e6 / 13)):
    big = number + 1000000
    kept.append((Plain("name%d" % big, big), [big * 1.5, (big + 1, "v%d" % big)],
                 {"key": big + 2, "thing": Slotted(big + 3, None)}))
if guppy:
    import guppy
    start = time.perf_counter()
    heap = guppy.hpy().heap()
    print(heap.count, time.perf_counter() - start, flush=True)
print(os.getpid(), flush=True)
time.sleep(3600)
"""

COMMANDS = [("heap", "heap"), ("whole graph", "retained -n 5"), ("memory", "memory"), ("garbage", "garbage")]


def start(python, million, guppy, folder):
    limit = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    command = [python, "-c", TARGET, str(million), "guppy" if guppy else "-"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, preexec_fn=limit, text=True)


def core(python, million, guppy, folder):
    """A kernel core of the target; what guppy counted in it, and in how many seconds, before."""
    child = start(python, million, guppy, folder)
    told = child.stdout.readline().split() if guppy else None
    child.stdout.readline()
    child.send_signal(signal.SIGABRT)
    child.wait()
    names = [name for name in os.listdir(folder) if name.startswith("core")]
    return os.path.join(folder, names[0]), told


def draw(path, curves):
    """Seconds over millions of objects as a picture: both axes linear, so that a line is a line."""
    width, height, left, bottom = 640, 360, 60, 50
    most = max(x for points in curves.values() for x, _ in points)
    highest = max(y for points in curves.values() for _, y in points)
    unit = next(unit for unit in (10.0 ** power * step for power in range(-3, 4) for step in (1, 2, 5)) if 5 * unit >= highest)
    tall = 5 * unit
    place = lambda x, y: (left + x / most * (width - left - 150), height - bottom - y / tall * (height - bottom - 20))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (width, height),
           '<rect width="100%" height="100%" fill="white"/>']
    for step in range(6):
        x, y = place(0, unit * step)
        out.append('<path d="M%.1f %.1fH%.1f" stroke="#ddd"/>' % (x, y, place(most, 0)[0]))
        out.append('<text x="%.1f" y="%.1f" text-anchor="end">%g</text>' % (x - 6, y + 4, unit * step))
    for size in sorted({x for points in curves.values() for x, _ in points}):
        x, y = place(size, 0)
        out.append('<path d="M%.1f %.1fV%.1f" stroke="#ddd"/>' % (x, y, place(0, tall)[1]))
        out.append('<text x="%.1f" y="%.1f" text-anchor="middle">%g</text>' % (x, y + 18, size))
    out.append('<text x="%.1f" y="%d" text-anchor="middle">million objects</text>' % (place(most / 2, 0)[0], height - 10))
    out.append('<text x="14" y="%d" transform="rotate(-90 14 %d)" text-anchor="middle">seconds</text>' % (height / 2, height / 2))
    lowest = height
    highest_last = sorted(curves.items(), key=lambda curve: max(curve[1])[1])
    for (name, points), colour in zip(highest_last, ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")):
        line = " ".join("%.1f,%.1f" % place(x, y) for x, y in sorted(points))
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (line, colour))
        out.extend('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (place(x, y) + (colour,)) for x, y in points)
        x, y = place(*max(points))
        lowest = min(y + 4, lowest - 14)  # names of curves that end together stand above each other
        out.append('<text x="%.1f" y="%.1f" fill="%s">%s</text>' % (x + 8, lowest, colour, name))
    with open(path, "w") as stream:
        stream.write("\n".join(out) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pydbg", default=os.path.join(peers.HERE, "../target/release/pydbg"))
    parser.add_argument("--python", default="python3")
    parser.add_argument("--sizes", default="1,5,20,32")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--svg")
    parser.add_argument("--guppy", action="store_true")
    options = parser.parse_args()
    pydbg = os.path.abspath(options.pydbg)
    curves = {}
    for million in map(float, options.sizes.split(",")):
        folder = tempfile.mkdtemp(prefix="pydbg-bench-")
        try:
            path, told = core(options.python, million, options.guppy, folder)
            if told:
                print("guppy: %s objects in %.2f s" % (told[0], float(told[1])))
            rows = [(name, [pydbg, path, "--batch", "-nx", "-q", "-ex", line]) for name, line in COMMANDS]
            actions = [(name, lambda c=command: peers.run(c, folder)) for name, command in rows]
            title = "%g million objects, core of %d MB" % (million, os.path.getsize(path) >> 20)
            medians = peers.table(title, actions, options.runs, ["wall s", "CPU s", "peak MB"])
            for name, median in medians:
                curves.setdefault(name, []).append((million, median))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if options.svg and curves:
        draw(options.svg, curves)


if __name__ == "__main__":
    main()
