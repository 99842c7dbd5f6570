"""Runs one command and prints as JSON what it and all its descendants took: wall and CPU time, peak memory, and what the rest of the machine did.

measure.py [--leave] [--beside NAME=PID]... [--aside PID]... -- COMMAND...

--leave: what the command leaves behind is not waited for; it counts up to the command's end. Without it everything is waited for.
--beside: a process that works for the command without being started by it; its CPU time, with that of its descendants, is told by name.
--aside: a process that works for somebody else because of the command: neither the command's nor noise, and told apart from both.
"""

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
# Of the flags in /proc/PID/stat (proc_pid_stat(5)): forked, but did not exec.
PF_FORKNOEXEC = 0x40
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = os.sysconf("SC_CLK_TCK")
# Their memory is their data, and PostgreSQL's processes share most of it: a sum over them would say nothing of the command.
SERVERS = {"postgres", "redis-server", "valkey-server"}


def children(pid):
    """Ids of a process's children, by each thread's list."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as listed:
                found.extend(int(child) for child in listed.read().split())
    except OSError:
        pass  # it ended meanwhile
    return found


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
    except OSError:
        return ""


def descendants(pid):
    """Ids and names of a process and everything below it, each with its parent's name."""
    found, todo = [], [(pid, "")]
    while todo:
        one, above = todo.pop()
        name = name_of(one)
        found.append((one, name, above))
        todo.extend((child, name) for child in children(one))
    return found


def resident(pid):
    """Of a process that was forked and has begun no program of its own only what it does not share: the rest is its parent's, and counted there."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        if int(fields[6]) & PF_FORKNOEXEC:
            return private(pid)
        return int(fields[21]) * PAGE
    except (OSError, IndexError):
        return 0


def private(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Private_"))


def used_s(pid):
    """User and system CPU seconds of a process and of those children that it has waited for."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            user, system, waited_user, waited_system = map(int, stat.read().rpartition(")")[2].split()[11:15])
    except OSError:
        return 0.0, 0.0
    return (user + waited_user) / TICK, (system + waited_system) / TICK


def tree_s(pid):
    """The same, with everything that lives below it."""
    used = [used_s(one) for one, _, _ in descendants(pid)]
    return sum(user for user, _ in used), sum(system for _, system in used)


def aside_s(pids):
    return sum(sum(tree_s(pid)) for pid in pids)


def kernel_s():
    """CPU seconds of the kernel's own threads, children of kthreadd: they write to the disk what any process has left in memory."""
    return sum(sum(used_s(pid)) for pid in children(2))


def busy_s():
    """CPU seconds that all processes, the kernel and other guests took since boot."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


class Sampler(threading.Thread):
    """The greatest sum of resident memory over all processes of the command at one instant, and how long a server below it waited for a program of its own."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.waited = pid, 0, 0.0

    def run(self):
        before = time.monotonic()
        while True:
            seen = descendants(self.pid)
            self.peak = max(self.peak, sum(resident(pid) for pid, name, _ in seen if name not in SERVERS))
            now = time.monotonic()
            if any(above in SERVERS and name not in SERVERS and name for _, name, above in seen):
                self.waited += now - before
            before = now
            time.sleep(SAMPLE_S)


def parse(words):
    leave, beside, aside = False, {}, []
    while words and words[0].startswith("--"):
        word = words.pop(0)
        if word == "--":
            break
        if word == "--leave":
            leave = True
        elif word == "--beside":
            name, _, pid = words.pop(0).partition("=")
            beside[name] = int(pid)
        elif word == "--aside":
            aside.append(int(words.pop(0)))
        else:
            sys.exit(f"measure.py: unknown option {word}")
    return leave, beside, aside, words


def end_of(child, leave):
    """Waits for the command, and for all that it leaves behind unless that may stay; gives its exit status and the time of its end."""
    status, ended = None, None
    while True:
        try:
            pid, code, _ = os.wait4(-1, 0)
        except ChildProcessError:
            return status, time.monotonic()
        if pid == child.pid:
            status, ended = os.waitstatus_to_exitcode(code), time.monotonic()
            if leave:
                return status, ended


def main():
    leave, beside, aside, command = parse(sys.argv[1:])
    # What a command leaves behind becomes ours: it is waited for, and counts.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    load = os.getloadavg()[0]
    others = {name: sum(tree_s(pid)) for name, pid in beside.items()}
    known = aside_s(aside)
    busy, kernel, before = busy_s(), kernel_s(), sum(os.times()[:2])
    started = time.monotonic()
    # Its output is a diagnosis, not a result.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    # From us on: what the command's own children leave behind is below us and no longer below it.
    sampler = Sampler(os.getpid() if leave else child.pid)
    sampler.start()
    status, ended = end_of(child, leave)
    times = os.times()
    left_user, left_system = map(sum, zip((0.0, 0.0), *(tree_s(pid) for pid in children(os.getpid()))))
    user, system = times.children_user + left_user, times.children_system + left_system
    others = {name: max(0.0, sum(tree_s(pid)) - others[name]) for name, pid in beside.items()}
    known = max(0.0, aside_s(aside) - known)
    own = times.user + times.system - before + user + system + sum(others.values()) + known
    kernel = max(0.0, kernel_s() - kernel)
    json.dump(
        {
            "wallS": ended - started,
            "userS": user,
            "systemS": system,
            "peakRssBytes": sampler.peak if leave else max(sampler.peak, largest_peak()),
            "foreignCpuS": max(0.0, busy_s() - busy - own - kernel),
            "kernelCpuS": kernel,
            "loadBefore": load,
            "besideCpuS": others,
            "asideCpuS": known,
            "waitedS": sampler.waited,
            "exitCode": status,
        },
        sys.stdout,
    )
    sys.stdout.flush()
    # The sampler may be in the middle of a look.
    os._exit(0)


def largest_peak():
    """Of the largest single process: exact, where the samples may have missed a short peak."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


main()
