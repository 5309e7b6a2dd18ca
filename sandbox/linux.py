"""The kernel calls that Python does not offer: prctl, rlimits for a run, and the filter that fences a run in.

Runs inside the cell, stdlib only. It decides nothing; `cell`, `zygote`, `subject` and `examiner` do.
"""

# pathlib would lengthen every start and every fork:
# ruff: noqa: PTH123

import ctypes
import os
import platform
import resource
import signal
import struct

PAGE_BYTES = resource.getpagesize()
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06  # BPF_LD|W|ABS, BPF_ALU|AND|K, BPF_JMP|JEQ|K, BPF_RET|K
_CLONE_THREAD = 0x00010000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data, little-endian machines

_libc = ctypes.CDLL(None, use_errno=True)

# audit architecture, then the number of each call by name
_MACHINES = {
    "x86_64": (
        0xC000003E,
        {
            "clone": 56, "fork": 57, "vfork": 58,
            "setsid": 112, "setpgid": 109, "setpriority": 141, "ioprio_set": 251, "pidfd_send_signal": 424,
            "memfd_create": 319, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
            "rt_tgsigqueueinfo": 297, "prlimit64": 302, "sched_setaffinity": 203, "sched_setscheduler": 144,
            "sched_setparam": 142, "sched_setattr": 314, "fcntl": 72, "ioctl": 16,
            "sendmsg": 46, "sendmmsg": 307, "mmap": 9,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "clone": 220,
            "setsid": 157, "setpgid": 154, "setpriority": 140, "ioprio_set": 30, "pidfd_send_signal": 424,
            "memfd_create": 279, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
            "rt_tgsigqueueinfo": 240, "prlimit64": 261, "sched_setaffinity": 122, "sched_setscheduler": 119,
            "sched_setparam": 118, "sched_setattr": 274, "fcntl": 25, "ioctl": 29,
            "sendmsg": 211, "sendmmsg": 269, "mmap": 222,
        },
    ),
}  # fmt: skip

_LEADER = 0x7EADBEEF  # stands for the leader's process id in the template; larger than any process id

# Denied outright: a run that cannot leave its process group is killed whole by one killpg. Descriptors in flight
# (unix(7), ETOOMANYREFS) are counted per user: sending some would keep every other cell of the user from forking runs.
_NEVER = (
    "setsid", "setpgid", "setpriority", "ioprio_set", "pidfd_send_signal", "memfd_create", "sendmsg", "sendmmsg",
)  # fmt: skip
# Allowed only on the run's own leader: zygote, supervisor and examiner share the user id with the code under test.
_ONLY_ON_ITSELF = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_ONLY_ON_ITSELF_OR_ZERO = ("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr")
# fcntl F_SETSIG, F_SETOWN and F_SETOWN_EX, ioctl FIOSETOWN and SIOCSPGRP send any signal to any process of the user;
# F_SETLK(W), F_OFD_SETLK(W) and F_SETLEASE on the image's files are seen by other cells (isolate(1) closed them).
_NEVER_WITH_COMMAND = {"fcntl": (6, 7, 8, 10, 15, 37, 38, 1024), "ioctl": (0x8901, 0x8902)}
# RLIMIT_DATA counts private memory alone, and MADV_DONTNEED hides shared memory from every count but a cgroup's.
_MAP_TYPE, _MAP_SHARED_TYPES = 0x0F, (1, 3)  # MAP_SHARED, MAP_SHARED_VALIDATE


def _prctl(option: int, argument: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(argument), 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def become_private() -> None:
    """Close this process and its forks to ptrace and /proc/PID/{mem,fd,environ} of the same user."""
    _prctl(_PR_SET_DUMPABLE, 0)


def forgo_privileges() -> None:
    """Never gain rights by exec; the kernel asks for this before it takes a filter from an ordinary user."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent() -> None:
    """SIGKILL when the parent ends; each process asks anew, fork forgets it."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Descendants whose parent ends become children of this process, also where it is not PID 1."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def drop_to(user: int) -> None:
    """Give up root, and every capability, for a user id that owns nothing."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    if _libc.capset(header, nothing):  # the change of user leaves the inheritable set
        number = ctypes.get_errno()
        raise OSError(number, f"capset: {os.strerror(number)}")


def install_filter(program: bytes) -> None:
    """Install a classic BPF program (bytes of struct sock_filter) on this process and its forks, for good."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def fence_template(*, forks: bool) -> bytes:
    """The filter of a run, to be completed by `fence`: no signals, limits or priorities for others, no new group,
    no shared memory, no descriptors for others.

    Without `forks` it allows threads but no further process, for cells whose process count nothing else limits.
    """
    arch, numbers = _MACHINES[platform.machine()]
    program = [_step(_LOAD, _ARCH_AT), _step(_EQUAL, arch, 1, 0), _step(_RETURN, _KILL), _step(_LOAD, _NUMBER_AT)]
    for name in _NEVER:
        program += [_step(_EQUAL, numbers[name], 0, 1), _step(_RETURN, _EPERM)]
    for name in _ONLY_ON_ITSELF:
        program += _first_argument_among(numbers[name], (_LEADER,))
    for name in _ONLY_ON_ITSELF_OR_ZERO:
        program += _first_argument_among(numbers[name], (0, _LEADER))
    for name, commands in _NEVER_WITH_COMMAND.items():
        tests = [step for command in commands for step in (_step(_EQUAL, command, 0, 1), _step(_RETURN, _EPERM))]
        body = [_step(_LOAD, _ARGUMENTS_AT + 8), *tests, _step(_RETURN, _ALLOW)]
        program += [_step(_EQUAL, numbers[name], 0, len(body)), *body]
    tests = [step for kind in _MAP_SHARED_TYPES for step in (_step(_EQUAL, kind, 0, 1), _step(_RETURN, _EPERM))]
    body = [_step(_LOAD, _ARGUMENTS_AT + 3 * 8), _step(_AND, _MAP_TYPE), *tests, _step(_RETURN, _ALLOW)]
    program += [_step(_EQUAL, numbers["mmap"], 0, len(body)), *body]
    if not forks:
        for name in ("fork", "vfork"):
            if name in numbers:
                program += [_step(_EQUAL, numbers[name], 0, 1), _step(_RETURN, _EPERM)]
        body = [_step(_LOAD, _ARGUMENTS_AT), _step(_AND, _CLONE_THREAD), _step(_EQUAL, 0, 0, 1), _step(_RETURN, _EPERM)]
        program += [_step(_EQUAL, numbers["clone"], 0, len(body) + 1), *body, _step(_RETURN, _ALLOW)]
    return b"".join([*program, _step(_RETURN, _ALLOW)])


def fence(template: bytes, pid: int) -> bytes:
    """The template for the run whose leader is `pid`; a fork that builds nothing copies fewer pages."""
    return template.replace(_LEADER.to_bytes(4, "little"), pid.to_bytes(4, "little"))


def _first_argument_among(number: int, allowed: tuple[int, ...]) -> list[bytes]:
    tests = [step for value in allowed for step in (_step(_EQUAL, value, 0, 1), _step(_RETURN, _ALLOW))]
    body = [_step(_LOAD, _ARGUMENTS_AT), *tests, _step(_RETURN, _EPERM)]
    return [_step(_EQUAL, number, 0, len(body)), *body]


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, operand & 0xFFFFFFFF)


def data_bytes() -> int:
    """Private writable memory of this process, what RLIMIT_DATA counts."""
    with open("/proc/self/statm", encoding="ascii") as fields:
        return int(fields.read().split()[5]) * PAGE_BYTES


def limit_run(data_bytes: int, cpu_seconds: float, file_bytes: int, open_files: int, processes: int) -> None:
    """Set the rlimits of this process and what it starts. Whole CPU seconds: the supervisor watches the fractions."""
    whole_seconds = int(cpu_seconds) + 1
    _lower(resource.RLIMIT_CPU, whole_seconds, whole_seconds + 1)
    _lower(resource.RLIMIT_DATA, data_bytes)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_NOFILE, open_files)
    _lower(resource.RLIMIT_CORE, 0)
    if processes:
        _lower(resource.RLIMIT_NPROC, processes)


def _lower(which: int, soft: int, hard: int | None = None) -> None:
    _, ceiling = resource.getrlimit(which)
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        wanted, soft = min(wanted, ceiling), min(soft, ceiling)
    resource.setrlimit(which, (soft, wanted))
