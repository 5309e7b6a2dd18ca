"""Attacks on processes: the zygote, the supervisor and later runs stay what they were, and nobody survives a run."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import time

import pytest

from ghostd.core.evidence import ExitClass

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

LIBC = "import ctypes, os, signal, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"


async def test_a_child_cannot_be_passed_off_as_the_zygote_s(attack):
    code = (
        f"{LIBC}def f():\n    pid = libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0)\n    return [pid, ctypes.get_errno()]\n"
    )
    import platform

    if platform.machine() != "x86_64":
        code = code.replace("56", "220")
    assert await attack(code) == [-1, 1]


@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP", "SIGTERM", "SIGCHLD", "SIGPIPE", "SIGHUP"])
async def test_no_signal_reaches_zygote_supervisor_or_examiner(attack, number):
    code = (
        f"{LIBC}def f():\n    sent = []\n    for pid in (1, 0, -1, os.getppid(), -os.getppid(), *range(2, 40)):\n"
        "        if pid != os.getpid():\n            try:\n"
        f"                os.kill(pid, signal.{number})\n                sent.append(pid)\n"
        "            except OSError:\n                pass\n    return sent\n"
    )
    assert await attack(code) == []


async def test_a_run_that_stops_itself_is_a_timeout(strike):
    outcome = await strike("import os, signal\ndef f():\n    os.kill(os.getpid(), signal.SIGSTOP)\n", wall_seconds=0.5)
    assert outcome.exit_class is ExitClass.TIMEOUT


async def test_a_run_that_terminates_itself_is_a_signal(strike):
    outcome = await strike("import os, signal\ndef f():\n    os.kill(os.getpid(), signal.SIGTERM)\n")
    assert (outcome.exit_class, outcome.exception_type) == (ExitClass.SIGNAL, "SIGTERM")


async def test_a_handler_for_the_end_of_cpu_time_buys_none(strike):
    code = "import signal\nsignal.signal(signal.SIGXCPU, lambda *a: None)\ndef f():\n    while True:\n        pass\n"
    began = time.monotonic()
    outcome = await strike(code, cpu_seconds=0.5, wall_seconds=15.0)
    assert outcome.exit_class is ExitClass.TIMEOUT
    assert time.monotonic() - began < 10


async def test_cpu_time_spent_by_children_is_not_free(strike):
    code = (
        "import os\ndef f():\n    while True:\n        if os.fork() == 0:\n            sum(range(10 ** 6))\n            os._exit(0)\n"
        "        os.wait()\n"
    )
    assert (await strike(code, cpu_seconds=0.5, wall_seconds=3.0)).exit_class is ExitClass.TIMEOUT


async def test_limits_cannot_be_raised_again(attack):
    code = (
        "import resource\ndef f():\n    raised = []\n"
        "    for name in ('CPU', 'DATA', 'FSIZE', 'NOFILE', 'CORE'):\n        which = getattr(resource, 'RLIMIT_' + name)\n"
        "        try:\n            resource.setrlimit(which, (resource.RLIM_INFINITY,) * 2)\n            raised.append(name)\n"
        "        except (OSError, ValueError):\n            pass\n    return raised\n"
    )
    assert await attack(code) == []


async def test_a_crash_leaves_no_core_dump(attack):
    crash = "import ctypes, os\nos.chdir('/w')\ndef f():\n    ctypes.string_at(0)\n"
    look = "import os\ndef f():\n    return [name for _, _, names in os.walk('/w') for name in names]\n"
    assert await attack(look, before=(crash,)) == []


async def test_another_program_in_the_place_of_the_run_is_an_early_exit(strike):
    code = "import os, sys\ndef f():\n    os.execv('/proc/self/exe', ['python3', '-S', '-c', 'print(1)'])\n"
    outcome = await strike(code, checks=("assert f() == 1",))
    assert outcome.exit_class is ExitClass.ERROR
    assert not outcome.checks[0].passed


async def test_a_program_that_is_started_stays_behind_the_same_fence(attack):
    probe = "import os\ntry:\n    os.setsid()\n    print('left')\nexcept OSError:\n    print('held')\n"
    code = (
        f"import subprocess\ndef f():\n    run = subprocess.run(['/proc/self/exe', '-S', '-c', {probe!r}], capture_output=True, text=True)\n"
        "    return run.stdout.strip()\n"
    )
    assert await attack(code) == "held"


async def test_a_program_that_detaches_itself_from_its_parent_dies_with_the_run(attack):
    detach = (
        "import os, time\ndef f():\n    for _ in range(5):\n        if os.fork() == 0:\n            if os.fork() == 0:\n"
        "                os.closerange(0, 64)\n                time.sleep(60)\n            os._exit(0)\n    return 1\n"
    )
    count = "import os\ndef f():\n    return sum(name.isdigit() for name in os.listdir('/proc')) <= 6\n"
    assert await attack(count, before=(detach,)) is True


async def test_a_thread_that_outlives_its_call_dies_with_the_run(attack):
    leave = (
        "import threading, time\ndef f():\n    def work():\n        while True:\n            open('/w/alive', 'a').write('.')\n"
        "    threading.Thread(target=work, daemon=True).start()\n    return 1\n"
    )
    look = "import os, time\ndef f():\n    time.sleep(0.1)\n    return os.path.exists('/w/alive')\n"
    assert await attack(look, before=(leave,)) is False


async def test_a_misleading_process_name_hides_no_process(strike):
    code = (
        f"{LIBC}def f():\n    for _ in range(60):\n        if os.fork() == 0:\n            libc.prctl(15, b') S 1 1 1 1', 0, 0, 0)\n"
        "            held = bytearray(b'x') * (24 << 20)\n            time.sleep(30)\n    time.sleep(30)\n"
    )
    assert (await strike(code, wall_seconds=10.0)).exit_class in (ExitClass.OOM, ExitClass.ERROR)


async def test_becoming_the_parent_of_orphans_changes_nothing(attack):
    code = (
        f"{LIBC}def f():\n    libc.prctl(36, 1, 0, 0, 0)\n    if os.fork() == 0:\n        if os.fork() == 0:\n            time.sleep(30)\n"
        "        os._exit(0)\n    os.wait()\n    return 1\n"
    )
    assert await attack(code) == 1


async def test_opening_itself_to_tracing_opens_nobody_else(attack):
    code = (
        f"{LIBC}def f():\n    libc.prctl(4, 1, 0, 0, 0)\n    libc.prctl(0x59616d61, -1, 0, 0, 0)\n    opened = []\n"
        "    for pid in (1, os.getppid(), os.getpid() + 1):\n        try:\n            open(f'/proc/{pid}/mem', 'rb').close()\n"
        "            opened.append(pid)\n        except OSError:\n            pass\n    return opened\n"
    )
    assert await attack(code) == []


async def test_the_clock_cannot_be_set(attack):
    code = f"{LIBC}def f():\n    spec = (ctypes.c_long * 2)(0, 0)\n    return libc.clock_settime(0, spec)\n"
    assert await attack(code) == "forbidden"


async def test_a_descriptor_for_another_process_sends_no_signal(attack):
    code = (
        f"{LIBC}def f():\n    try:\n        signal.pidfd_send_signal(os.pidfd_open(os.getppid()), signal.SIGKILL)\n"
        "    except OSError:\n        return 'refused'\n"
    )
    assert await attack(code) == "refused"
