"""One run as the supervisor sees it, with a scripted zygote: what is heard late must still be heard in this run."""

import json
import subprocess
import sys
from pathlib import Path

from ghostd.bundled import bundled

# In an interpreter of its own, since an execution reaps every child of its process. The run has said all that it has
# to say, and waits to be killed, long before the zygote names its processes: as on a machine that is crowded.
SCRIPT = """
import json, os, signal, socket, sys, time
sys.path.insert(0, sys.argv[1])
import channel
from execution import Execution

class Zygote:
    broken, pid, resident_bytes = False, 0, 0

def forked(work, *arguments):
    pid = os.fork()
    if pid == 0:
        work(*arguments)
        os._exit(0)
    return pid

def wait_to_be_killed():
    os.setpgid(0, 0)
    signal.pause()

def be_zygote(control):
    _, descriptors, _, _ = socket.recv_fds(control, 16, 5)
    output, _, _, job, report = descriptors
    os.write(output, b"x" * 5000)
    step = [json.loads(channel.read_all(job))["nonce"], "done", []]
    channel.write_frame(report, json.dumps(step).encode())
    for descriptor in (output, report):
        os.close(descriptor)
    pids = [forked(wait_to_be_killed) for _ in range(2)]
    time.sleep(0.1)
    control.send(channel.PIDS.pack(*pids))
    for _ in pids:
        pid, status = os.wait()
        control.send(channel.EXIT.pack(pid, status, 0.0, 0.0, 0))
    signal.pause()

run = {
    "memory_bytes": 1 << 30, "cpu_seconds": 5.0, "start_time": 0.0, "value_bytes": 1 << 20, "entry": "f",
    "calls": [], "checks": [], "stop_on_failure": False, "code": "", "wall_seconds": 5.0,
    "output_bytes": int(sys.argv[2]),
}
owner = os.pipe()  # both ends stay open: an owner that stays
os.dup2(owner[0], 0)
zygote = Zygote()
zygote.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
zygote.pid = forked(be_zygote, theirs)
theirs.close()
execution = Execution(run, zygote, "w", 32)
execution.complete()
zygote.control.setblocking(False)
try:
    left = zygote.control.recv(64).hex()
except BlockingIOError:
    left = ""
print(json.dumps([execution.ended_by, execution.killed_for, len(execution.exits), zygote.broken, left]), flush=True)
os.kill(zygote.pid, signal.SIGKILL)
"""


def complete(output_bytes: int) -> list[object]:
    folder = str(bundled("sandbox"))
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, str(output_bytes)],
        capture_output=True, text=True, timeout=30, check=True, cwd=Path(folder).parent,
    )  # fmt: skip
    return json.loads(ended.stdout)


def test_a_run_that_ends_before_its_processes_are_named_leaves_nothing_to_the_next_run() -> None:
    ended_by, _, exits, broken, left_over = complete(10_000)
    assert (ended_by, exits, broken, left_over) == ("done", 2, False, "")


def test_a_run_that_floods_before_its_processes_are_named_is_killed_all_the_same() -> None:
    _, killed_for, exits, broken, left_over = complete(1_000)
    assert (killed_for, exits, broken, left_over) == ("output_limit", 2, False, "")
