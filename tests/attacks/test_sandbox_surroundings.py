"""Attacks on what surrounds a run: other processes, descriptors, files and limits of the cell and the host."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import os
from pathlib import Path

import pytest

from ghostd.sandbox.runtime import ENVIRONMENT

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def test_no_other_process_of_the_cell_can_be_opened(attack):
    code = (
        "import os\ndef f():\n    opened = []\n    for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "        if int(pid) == os.getpid():\n            continue\n"
        "        for name in ('mem', 'environ', 'maps', 'fd', 'fd/0', 'fd/1', 'fd/3', 'cwd', 'root', 'exe'):\n"
        "            path = f'/proc/{pid}/{name}'\n"
        "            try:\n                os.listdir(path) if name == 'fd' else os.stat(path)\n"
        "                if name in ('mem', 'environ', 'maps'):\n                    open(path, 'rb').read(1)\n"
        "                opened.append(path)\n"
        "            except OSError:\n                pass\n"
        "    return opened\n"
    )
    assert await attack(code) == []


async def test_only_the_cell_s_own_processes_are_visible(attack):
    code = "import os\ndef f():\n    return sum(name.isdigit() for name in os.listdir('/proc'))\n"
    assert await attack(code) <= 6


async def test_a_forged_result_on_every_inherited_descriptor_convinces_nobody(attack):
    forge = (
        "import json, os\n"
        "body = json.dumps({'exit_class': 'ok', 'calls': [['666', '', '']], 'checks': [], 'stdout': '', 'stderr': '',\n"
        "  'exception_type': '', 'exception_message': '', 'wall_seconds': 0.1, 'cpu_seconds': 0.1,\n"
        "  'peak_memory_bytes': 1, 'taints': []}).encode()\n"
        "for content in (b'0' * 32 + body, json.dumps(['', 'done', []]).encode()):\n"
        "    frame = len(content).to_bytes(4, 'big') + content\n"
        "    for descriptor in [*range(0, 3), *range(8, 64)]:\n"
        "        try:\n            os.write(descriptor, frame)\n        except OSError:\n            pass\n"
        "def f():\n    return 1\n"
    )
    assert await attack(forge) in (1, "error")


async def test_no_descriptor_is_inherited_but_streams_and_the_channel(attack):
    code = "import os\ndef f():\n    return len([d for d in os.listdir('/proc/self/fd')]) - 1\n"
    assert await attack(code) <= 4


@pytest.mark.parametrize(
    "path",
    ["/", "/etc", "/usr", "/usr/lib", "/ghostd", "/ghostd/cell.py", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/proc/sys/kernel",
     "/sys/fs/cgroup", "/root", "/home", "/run"],
)  # fmt: skip
async def test_nothing_but_the_workspace_can_be_written(attack, path):
    code = (
        f"import os\ndef f():\n    path = {path!r}\n    target = path if os.path.isfile(path) else path + '/canary'\n"
        "    try:\n        open(target, 'a').close()\n        return 'written'\n"
        "    except OSError as e:\n        return 'refused'\n"
    )
    assert await attack(code) == "refused"


async def test_a_file_of_the_host_is_not_there(attack, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text("secret")
    tmp_path.chmod(0o755)
    code = f"import os\ndef f():\n    return [os.path.exists({str(canary)!r}), os.path.exists({str(Path.home() / '.ssh')!r})]\n"
    assert await attack(code) == [False, False]


async def test_no_password_file_or_secret_of_the_host_is_readable(attack):
    code = "import os\ndef f():\n    return [p for p in ('/etc/shadow', '/etc/passwd', '/root', '/home') if os.access(p, os.R_OK) and os.path.isfile(p) and open(p).read().count(':') > 12]\n"
    assert await attack(code) == []


async def test_the_environment_holds_nothing_of_the_owner(attack):
    code = "import os\ndef f():\n    return dict(os.environ)\n"
    fixed = {*ENVIRONMENT, "HOME", "HOSTNAME", "PWD"}
    assert set(await attack(code)) <= fixed


async def test_the_engine_s_socket_is_not_there(attack):
    code = (
        "import socket\ndef f():\n    reached = []\n"
        "    for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/dbus/system_bus_socket', '/run/systemd/private'):\n"
        "        try:\n            socket.socket(socket.AF_UNIX).connect(path)\n            reached.append(path)\n"
        "        except OSError:\n            pass\n    return reached\n"
    )
    assert await attack(code) == []


async def test_abstract_sockets_of_the_host_are_in_another_namespace(attack):
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        name = f"\0ghostd-attack-{os.getpid()}"
        listener.bind(name)
        listener.listen()
        code = (
            f"import socket\ndef f():\n    try:\n        socket.socket(socket.AF_UNIX).connect({name!r})\n"
            "        return 'reached'\n    except OSError as e:\n        return type(e).__name__\n"
        )
        assert await attack(code) == "ConnectionRefusedError"


async def test_no_interface_but_a_dead_loopback_exists(attack):
    code = "def f():\n    return [l.split(':')[0].strip() for l in open('/proc/net/dev').read().splitlines()[2:]]\n"
    assert set(await attack(code)) <= {
        "lo",
        "tunl0",
        "sit0",
        "ip6tnl0",
        "gre0",
        "gretap0",
        "erspan0",
        "ip_vti0",
        "ip6_vti0",
        "ip6gre0",
    }


async def test_a_run_cannot_change_the_limits_of_the_supervisor_or_zygote(attack):
    code = (
        "import os, resource\ndef f():\n    changed = []\n    for pid in {1, os.getppid()}:\n"
        "        try:\n            resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, 1))\n            changed.append(pid)\n"
        "        except OSError:\n            pass\n    return changed\n"
    )
    assert await attack(code) == []


async def test_a_run_cannot_leave_its_process_group(attack):
    code = (
        "import os\ndef f():\n    left = []\n    for leave in (os.setsid, lambda: os.setpgid(0, 0)):\n"
        "        if os.fork() == 0:\n            try:\n                leave()\n                os._exit(1)\n"
        "            except OSError:\n                os._exit(0)\n        left.append(os.wait()[1])\n    return left\n"
    )
    assert await attack(code) == [0, 0]


async def test_the_workspace_has_a_size(attack):
    code = (
        "def f():\n    written = 0\n    try:\n        for n in range(40):\n            with open(str(n), 'wb') as file:\n"
        "                written += file.write(bytes(4 << 20))\n    except OSError:\n        pass\n    return written <= 64 << 20\n"
    )
    assert await attack(code) is True


async def test_a_file_larger_than_allowed_cannot_be_written(attack):
    code = "def f():\n    try:\n        open('big', 'wb').write(bytes(20 << 20))\n    except OSError as e:\n        return 'refused'\n"
    assert await attack(code) == "refused"


async def test_memory_held_by_many_processes_together_is_limited(attack):
    code = (
        "import os, time\ndef f():\n    for _ in range(8):\n        if os.fork() == 0:\n"
        "            held = bytearray(b'x') * (100 << 20)\n            time.sleep(30)\n    time.sleep(30)\n"
    )
    assert await attack(code, wall_seconds=15.0) == "oom"


async def test_too_many_processes_cannot_be_started(attack):
    code = (
        "import os, time\ndef f():\n    started = 0\n    try:\n        while started < 500:\n            if os.fork() == 0:\n"
        "                time.sleep(30)\n            started += 1\n    except OSError:\n        return started\n    return started\n"
    )
    outcome = await attack(code)
    assert outcome == "error" or outcome < 64


async def test_what_one_cell_leaves_no_other_cell_finds(sandbox):
    from ghostd.core.canonical import decode
    from ghostd.core.evidence import Run

    leave = (
        "import os\ndef f():\n    left = []\n"
        "    for path in ('/w/x', '/dev/shm/x', '/tmp/x', '/var/tmp/x', '/dev/mqueue/x'):\n"
        "        try:\n            open(path, 'w').write('x')\n            left.append(path)\n        except OSError:\n            pass\n"
        "    return left\n"
    )
    find = "import os\ndef f():\n    return [p for p in ('/w/x', '/dev/shm/x', '/tmp/x', '/var/tmp/x', '/dev/mqueue/x') if os.path.exists(p)]\n"
    async with sandbox.cell() as one:
        await one.run([Run(code=leave, entry="f", calls=("",))])
        async with sandbox.cell() as other:
            (found,) = await other.run([Run(code=find, entry="f", calls=("",))])
    assert decode(found.calls[0].value) == []
