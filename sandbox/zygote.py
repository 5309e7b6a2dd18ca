"""A warm interpreter that forks every run: one subject and one examiner each; it never sees a run's content.

Started by the cell with one PYTHONHASHSEED. Content reaches the forks in sealed-off memory files, so that neither the
exam nor an earlier run is ever in the memory that the code under test can read.
"""

# pathlib would lengthen every start and every fork:
# ruff: noqa: PTH123

from __future__ import annotations

import _socket  # the socket module itself would double what each fork copies
import gc
import json
import os
import sys
from array import array

import channel
import determinism
import examiner
import linux
import rehearsal
import subject

sys.path.pop(0)  # this folder: what the code under test imports is the standard library

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from typing import Any

CONTROL = 3  # the socket to the supervisor


def main(options: dict[str, Any]) -> None:
    """Serve fork requests until the supervisor hangs up."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")  # inherited: when the cell's memory is spent, a run dies, not the supervisor
    del os.environ["LD_BIND_NOW"]  # for the loader alone
    linux.become_private()
    linux.die_with_parent()
    linux.forgo_privileges()
    if options["filter"]:
        with open(options["filter"], "rb") as program:
            linux.install_filter(program.read())
    determinism.install()
    options["fence"] = linux.fence_template(forks=options["forks"])
    rehearsal.rehearse()
    _settle_memory()
    options["data_bytes"] = linux.data_bytes()  # what every fork begins with
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, CONTROL)
    control.send(b"ready")
    while True:
        request, ancillary, _, _ = control.recvmsg(4096, _socket.CMSG_SPACE(5 * 4))
        if not request:
            return
        if request == b"run":
            _fork_run(control, array("i", ancillary[0][2]), options)
        else:  # names from the supervisor's own list
            for name in request.decode().split():
                __import__(name)
            _settle_memory()
            options["data_bytes"] = linux.data_bytes()
            control.send(b"ready")


def _settle_memory() -> None:
    """Collect garbage now and keep what is left out of later collections, so that forks share its pages."""
    gc.collect()
    gc.freeze()


def _fork_run(control: _socket.socket, descriptors: array[int], options: dict[str, Any]) -> None:
    output, errors, subject_job, examiner_job, report = descriptors
    here, there = _socket.socketpair()
    parts = (
        (_be_subject, (output, errors, subject_job, here.fileno()), (examiner_job, report, there.fileno())),
        (_be_examiner, (errors, examiner_job, there.fileno(), report), (output, subject_job, here.fileno())),
    )
    pids = []
    for part, kept, closed in parts:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                for descriptor in (*closed, CONTROL):
                    os.close(descriptor)
                part(options, *kept)
                code = 0
            except BaseException:
                sys.__excepthook__(*sys.exc_info())  # on the run's own stderr once that is settled
            finally:
                os._exit(code)
        pids.append(pid)
    here.close()
    there.close()
    for descriptor in descriptors:
        os.close(descriptor)
    control.send(channel.PIDS.pack(*pids))
    for _ in pids:
        pid, status, usage = os.wait4(-1, 0)
        control.send(channel.EXIT.pack(pid, status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss << 10))


def _be_subject(options: dict[str, Any], output: int, errors: int, job_file: int, link: int) -> None:
    job = json.loads(channel.read_all(job_file))
    _settle(output, errors)
    os.chdir(job["directory"])
    _fence(options, job)
    subject.main(job, link)


def _be_examiner(options: dict[str, Any], errors: int, job_file: int, link: int, report: int) -> None:
    job = json.loads(channel.read_all(job_file))
    _settle(errors, errors)
    os.chdir("/")
    _fence(options, job)
    examiner.main(job, link, report)


def _settle(output: int, errors: int) -> None:
    linux.die_with_parent()
    os.setpgid(0, 0)
    os.dup2(output, 1, inheritable=True)
    os.dup2(errors, 2, inheritable=True)
    os.close(output)
    if errors != output:
        os.close(errors)


def _fence(options: dict[str, Any], job: dict[str, Any]) -> None:
    memory = options["data_bytes"] + job["memory_bytes"]
    linux.limit_run(memory, job["cpu_seconds"], options["file_bytes"], options["open_files"], options["processes"])
    linux.install_filter(linux.fence(options["fence"], os.getpid()))
    determinism.begin(job["start_time"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
