"""The target of the benches: `target.py THREADS DEPTH PAUSES [MEGABYTES]`.

THREADS threads, each DEPTH Python frames deep and blocked, and the main thread spinning over the
clock, with so many MEGABYTES of small objects. PAUSES is a file of two 8-byte words mapped shared: the longest gap the spinner saw, in
nanoseconds, and a flag; whoever sets the flag to 1 has the gap reset (the spinner answers 0).
Prints its process id when everything is in place; dies after ten minutes.
"""
import mmap
import os
import signal
import struct
import sys
import threading
import time


def descend(depth, ready, gate):
    name, numbers, table = "level %d" % depth, [depth, depth * 2], {"depth": depth}
    if depth > 1:
        descend(depth - 1, ready, gate)
    else:
        ready.release()
        gate.wait()
    return name, numbers, table


def spin(path):
    """Writes the longest gap into a file, for ever."""
    with open(path, "wb") as file:
        file.write(bytes(16))
    with open(path, "r+b") as file:
        words = mmap.mmap(file.fileno(), 16)
    time.sleep(0.2)
    print(os.getpid(), flush=True)
    clock = time.perf_counter_ns
    longest, last, count = 0, clock(), 0
    while True:
        now = clock()
        if now - last > longest:
            longest = now - last
            words[0:8] = struct.pack("<Q", longest)
        last = now
        count += 1
        if count & 63 == 0 and words[8] == 1:
            words[0:16] = bytes(16)
            longest, last = 0, clock()


def main():
    signal.alarm(600)
    threads, depth, pauses = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    megabytes = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    # A float of 24 bytes and its slot in the list.
    kept = [number * 1.5 for number in range(megabytes * 1000000 // 32)]
    ready, gate = threading.Semaphore(0), threading.Event()
    for _ in range(threads):
        # The thread's own frames (bootstrap, run, target) count towards the depth.
        target = threading.Thread(target=descend, args=(depth - 5, ready, gate), daemon=True)
        target.start()
    for _ in range(threads):
        ready.acquire()
    spin(pauses)
    return kept


if __name__ == "__main__":
    main()
