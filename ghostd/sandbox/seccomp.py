"""The seccomp profile (`sandbox/seccomp.json`, Docker's format) as a BPF program for bubblewrap and the cell.

Only what our profile uses is understood; anything else in the file is an error, never ignored.
Instruction set: linux/bpf_common.h, linux/seccomp.h. One machine's calls per program, any other ABI is killed.
"""

import json
import platform
import struct
from collections.abc import Mapping
from functools import cache
from typing import Any

from ghostd.bundled import bundled
from ghostd.errors import ConfigurationError

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data; little-endian machines only
_KILL_PROCESS, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
_EPERM = 1
_AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000  # x86_64 calls of the x32 ABI carry it


@cache
def syscall_numbers(machine: str) -> Mapping[str, int]:
    """Number by name for the calls that the profile names. Raises ConfigurationError for an unknown machine."""
    tables: dict[str, dict[str, int]] = json.loads((bundled("sandbox") / "syscalls.json").read_text("utf-8"))
    if machine not in tables:
        raise ConfigurationError(f"no system call table for {machine}; use the docker backend on this machine.")
    return tables[machine]


def compile_profile(profile: str, machine: str = "") -> bytes:
    """An array of struct sock_filter for `machine` (this one by default). Raises ConfigurationError."""
    machine = machine or platform.machine()
    numbers = syscall_numbers(machine)
    body = json.loads(profile)
    program = [
        _step(_LOAD, _ARCH_AT),
        _step(_EQUAL, _AUDIT_ARCHITECTURES[machine], 1, 0),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER_AT),
        _step(_AT_LEAST, _X32_BIT, 0, 1),
        _step(_RETURN, _KILL_PROCESS),
    ]
    for rule in body["syscalls"]:
        verdict = _step(_RETURN, _action(rule["action"], rule.get("errnoRet", _EPERM)))
        for name in rule["names"]:
            if name in numbers:  # older calls do not exist on newer machines
                program += _guarded(numbers[name], rule.get("args", []), verdict)
    program.append(_step(_RETURN, _action(body["defaultAction"], _EPERM)))
    return b"".join(program)


def _guarded(number: int, conditions: list[dict[str, Any]], verdict: bytes) -> list[bytes]:
    """`verdict` when the call has this number and its arguments meet the conditions; otherwise fall through."""
    tests: list[bytes] = []
    for at, condition in enumerate(conditions):
        left = sum(len(_argument_test(later, 0)) for later in conditions[at + 1 :])
        tests += _argument_test(condition, left + 1)
    restore = [_step(_LOAD, _NUMBER_AT)] if conditions else []
    body = [*tests, verdict, *restore]
    return [_step(_EQUAL, number, 0, len(body)), *body]


def _argument_test(condition: dict[str, Any], skip: int) -> list[bytes]:
    """Go on when the low 32 bits of an argument meet the condition, else skip `skip` instructions."""
    load = _step(_LOAD, _ARGUMENTS_AT + 8 * condition["index"])
    match condition["op"]:
        case "SCMP_CMP_EQ":
            return [load, _step(_EQUAL, condition["value"], 0, skip)]
        case "SCMP_CMP_MASKED_EQ":  # Docker's `value` is the mask and its absent `valueTwo` the zero to compare with
            return [load, _step(_AND, condition["value"]), _step(_EQUAL, condition.get("valueTwo", 0), 0, skip)]
    raise ConfigurationError(f"seccomp.json: comparison {condition['op']!r} is not understood.")


def _action(name: str, errno: int) -> int:
    match name:
        case "SCMP_ACT_ALLOW":
            return _ALLOW
        case "SCMP_ACT_ERRNO":
            return _ERRNO | errno
        case "SCMP_ACT_KILL_PROCESS":
            return _KILL_PROCESS
    raise ConfigurationError(f"seccomp.json: action {name!r} is not understood.")


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, operand & 0xFFFFFFFF)
