"""Attacks through system calls: each must be refused or kill the attacker, and nothing else."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import platform

import pytest

from ghostd.sandbox.seccomp import syscall_numbers

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

NUMBERS = syscall_numbers(platform.machine())

RAW = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def f():
    ctypes.set_errno(0)
    result = libc.syscall({number}, {arguments})
    return [result, ctypes.get_errno()]
"""


@pytest.mark.parametrize(
    "name",
    [
        "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "bpf", "perf_event_open",
        "userfaultfd", "add_key", "request_key", "keyctl", "io_uring_setup", "io_uring_enter", "io_uring_register",
        "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "name_to_handle_at", "open_by_handle_at",
        "init_module", "kexec_load", "reboot", "swapon", "move_mount", "fsopen", "open_tree", "sethostname",
    ],
)  # fmt: skip
async def test_a_call_that_only_an_attacker_makes_kills_the_attacker(attack, name):
    assert await attack(RAW.format(number=NUMBERS[name], arguments="0, 0, 0, 0, 0, 0")) == "forbidden"


@pytest.mark.parametrize("family", [2, 3, 4, 10, 15, 16, 17, 29, 31, 38, 40, 44])
async def test_no_socket_family_but_the_local_one_opens(attack, family):
    code = (
        "import socket\ndef f():\n    opened = []\n"
        "    for kind in (1, 2, 3, 5):\n"
        f"        try:\n            socket.socket({family}, kind).close()\n            opened.append(kind)\n"
        "        except OSError:\n            pass\n    return opened\n"
    )
    assert await attack(code) == []


async def test_a_new_namespace_cannot_be_had_through_clone(attack):
    new_user_and_signal = 0x10000000 | 17
    outcome = await attack(RAW.format(number=56 if platform.machine() == "x86_64" else 220,
                                      arguments=f"{new_user_and_signal}, 0, 0, 0, 0"))  # fmt: skip
    assert outcome == [-1, 1]


async def test_clone3_is_said_not_to_exist_so_that_its_flags_need_no_inspection(attack):
    assert await attack(RAW.format(number=435, arguments="0, 0")) == [-1, 38]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the x32 ABI exists on x86_64 alone")
async def test_the_x32_abi_is_closed(attack):
    outcome = await attack(RAW.format(number=0x40000000 + 39, arguments="0"))
    assert outcome == "forbidden" or outcome[0] == -1


async def test_terminal_injection_and_signal_ownership_ioctls_are_refused(attack):
    code = (
        "import fcntl, os, signal\ndef f():\n    refused = 0\n    r, w = os.pipe()\n"
        "    for command, argument in ((8, 1), (10, 9)):\n"
        "        try:\n            fcntl.fcntl(r, command, argument)\n        except OSError:\n            refused += 1\n"
        "    return refused\n"
    )
    assert await attack(code) == 2


async def test_file_locks_cannot_signal_to_other_cells_through_the_shared_image(attack):
    code = (
        "import fcntl, os\ndef f():\n    refused = 0\n    file = open(os.__file__)\n"
        "    for lock in (lambda: fcntl.flock(file, fcntl.LOCK_SH), lambda: fcntl.lockf(file, fcntl.LOCK_SH)):\n"
        "        try:\n            lock()\n        except OSError:\n            refused += 1\n    return refused\n"
    )
    assert await attack(code) == 2


async def test_system_v_and_posix_queues_are_refused(attack):
    numbers = {"x86_64": (29, 68, 64, 240), "aarch64": (194, 186, 190, 180)}[platform.machine()]
    for number in numbers:
        assert (await attack(RAW.format(number=number, arguments="0, 4096, 950")))[0] == -1


async def test_no_capability_and_no_way_to_new_ones(attack):
    code = (
        "def f():\n    lines = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines())\n"
        "    return [lines[k].strip() for k in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb', 'NoNewPrivs', 'Seccomp')]\n"
    )
    assert await attack(code) == ["0" * 16] * 4 + ["1", "2"]


async def test_becoming_root_is_refused(attack):
    code = (
        "import os\ndef f():\n    refused = 0\n"
        "    for attempt in (lambda: os.setresuid(0, 0, 0), lambda: os.setresgid(0, 0, 0), lambda: os.setuid(0)):\n"
        "        try:\n            attempt()\n        except OSError:\n            refused += 1\n"
        "    return [refused, os.getuid() == 0, os.geteuid() == 0]\n"
    )
    assert await attack(code) == [3, False, False]


async def test_a_set_uid_file_cannot_be_made_to_mean_anything(attack):
    code = (
        "import os, stat\ndef f():\n    open('x', 'w').write('#!/bin/true')\n    os.chmod('x', 0o6755)\n"
        "    flags = os.statvfs('.').f_flag\n    return [bool(flags & os.ST_NOSUID), bool(flags & os.ST_NODEV)]\n"
    )
    assert await attack(code) == [True, True]


async def test_a_device_node_cannot_be_made(attack):
    code = (
        "import os, stat\ndef f():\n    try:\n        os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(254, 0))\n"
        "    except OSError as e:\n        return type(e).__name__\n"
    )
    assert await attack(code) == "PermissionError"
