"""Runs one command, times it, and watches the memory of its whole process tree from outside."""

import ctypes
import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_INTERVAL_MS = 50
# Listing the tree costs more than reading it. Processes come and go at the start; later, every half second is enough.
LIST_EACH_OF_FIRST_SAMPLES = 20
LIST_EVERY_SAMPLES = 10
KILL_GRACE_MS = 5000
_PR_SET_CHILD_SUBREAPER = 36


@dataclass
class ProcessPeak:
    """The largest resident set (VmHWM, in KiB) that one process of the tree was seen with."""

    pid: int
    executable: str
    is_root: bool
    peak_kib: int


@dataclass
class Outcome:
    """How a command ended: wall seconds from start to exit, what it printed, and its processes."""

    seconds: float
    exit_code: int
    stdout: str
    stderr: str
    processes: list[ProcessPeak]
    left_behind: list[int] = field(default_factory=list)
    sampler_seconds: float = 0.0


def become_subreaper() -> None:
    """Make orphans of the contenders children of this process: none escapes the memory count or the clean-up."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def run(command: list[str], directory: Path, timeout_seconds: float) -> Outcome:
    """Run `command` in `directory` to its end. Whatever it leaves behind, or the time limit cuts off, is killed by pid."""
    sampler = _TreeSampler()
    with open(directory / "stdout", "w+") as stdout, open(directory / "stderr", "w+") as stderr:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        try:
            seconds = _wait(process.pid, sampler, started, timeout_seconds)
        finally:
            left_behind = [pid for pid in _descendants(os.getpid()) if pid != process.pid]
            if _is_running(process.pid):
                _terminate([process.pid])
            exit_code = process.wait()
            _terminate(left_behind)
            _reap_orphans()
        stdout.seek(0)
        stderr.seek(0)
        return Outcome(seconds, exit_code, stdout.read(), stderr.read(), sampler.peaks(process.pid), left_behind,
                       sampler.cpu_seconds)


def _wait(pid: int, sampler: "_TreeSampler", started: float, timeout_seconds: float) -> float:
    pidfd = os.pidfd_open(pid)
    try:
        exited = select.poll()
        exited.register(pidfd, select.POLLIN)
        while not exited.poll(SAMPLE_INTERVAL_MS):
            if time.perf_counter() - started > timeout_seconds:
                raise TimeoutError(f"no end after {timeout_seconds:.0f} s")
            sampler.sample()
        return time.perf_counter() - started
    finally:
        os.close(pidfd)


class _TreeSampler:
    """Reads VmHWM of every descendant of this process.

    VmHWM only grows while a process runs one program, and starts again at `exec`. So the last reading is the peak, and the
    memory of the parent that a freshly forked child still shows drops out at its next sample. What a process gains in the
    50 ms before it exits is not seen. `ru_maxrss` would see it, but inherits the parent's peak through fork and exec.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[str, int]] = {}
        self._pids: list[int] = []
        self._samples = 0
        self.cpu_seconds = 0.0

    def sample(self) -> None:
        before = time.thread_time()
        if self._samples < LIST_EACH_OF_FIRST_SAMPLES or self._samples % LIST_EVERY_SAMPLES == 0:
            self._pids = _descendants(os.getpid())
        self._samples += 1
        for pid in self._pids:
            try:
                executable = os.readlink(f"/proc/{pid}/exe")
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue  # It ended between the listing and this line: its last reading stands.
            _, found, rest = status.partition("VmHWM:")
            if found:
                self._last[pid] = (executable, int(rest.split(None, 1)[0]))
        self.cpu_seconds += time.thread_time() - before

    def peaks(self, root: int) -> list[ProcessPeak]:
        return [ProcessPeak(pid, executable, pid == root, kib) for pid, (executable, kib) in self._last.items()]


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                # A child belongs to the thread that spawned it.
                with open(f"/proc/{parent}/task/{task}/children") as children:
                    pids = [int(child) for child in children.read().split()]
                found += pids
                pending += pids
        except OSError:
            continue  # The parent ended meanwhile; its children are this process's now, and in the next sample.
    return found


def _is_running(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


def _terminate(pids: list[int]) -> None:
    pidfds = []
    for pid in pids:
        try:
            pidfds.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue  # It is gone, which is what is wanted.
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pidfd in pidfds:
                try:
                    signal.pidfd_send_signal(pidfd, number)
                except ProcessLookupError:
                    continue
            for pidfd in pidfds:
                ended = select.poll()
                ended.register(pidfd, select.POLLIN)
                ended.poll(KILL_GRACE_MS)
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


def _reap_orphans() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        return  # None is left.
