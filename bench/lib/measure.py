"""Runs one command and prints as JSON what it and all its descendants took: wall and CPU time, peak memory, and what the rest of the machine did."""

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.02
PR_SET_CHILD_SUBREAPER = 36
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """Ids of a process and everything below it, by each thread's list of children."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    todo.extend(int(child) for child in children.read().split())
        except OSError:
            pass  # it ended meanwhile
    return found


def resident(pid):
    try:
        with open(f"/proc/{pid}/statm") as statm:
            return int(statm.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def busy_s():
    """CPU seconds that all processes, the kernel and other guests took since boot."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


class Sampler(threading.Thread):
    """The greatest sum of resident memory over all processes of the command at one instant."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0

    def run(self):
        while True:
            total = sum(resident(pid) for pid in descendants(self.pid))
            self.peak = max(self.peak, total)
            time.sleep(SAMPLE_S)


def main():
    # What a command leaves behind becomes ours: it is waited for, and counts.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    load = os.getloadavg()[0]
    busy, before = busy_s(), sum(os.times()[:2])
    started = time.monotonic()
    # Its output is a diagnosis, not a result.
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    sampler = Sampler(child.pid)
    sampler.start()
    status = None
    while True:
        try:
            pid, code, _ = os.wait4(-1, 0)
        except ChildProcessError:
            break
        if pid == child.pid:
            status = os.waitstatus_to_exitcode(code)
    wall = time.monotonic() - started
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system - before
    json.dump(
        {
            "wallS": wall,
            "userS": times.children_user,
            "systemS": times.children_system,
            "peakRssBytes": max(sampler.peak, largest_peak()),
            "foreignCpuS": max(0.0, busy_s() - busy - own),
            "loadBefore": load,
            "exitCode": status,
        },
        sys.stdout,
    )


def largest_peak():
    """Of the largest single process: exact, where the samples may have missed a short peak."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


main()
