"""Attacks through files: nothing outside the workspace changes, and a spoiled workspace harms no later run."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

REFUSED = """
import os
def refused(*attempts):
    count = 0
    for attempt in attempts:
        try:
            attempt()
        except OSError:
            count += 1
    return count
"""

# What spoils the workspace; after each, `strike` has the supervisor wipe it and run innocent code there.
SPOILERS = {
    "closes_the_workspace_itself": "try:\n    os.chmod('/w', 0)\nexcept OSError:\n    pass\n",
    "closes_its_own_folder": "os.chmod('.', 0)\n",
    "renames_its_own_folder": "os.rename(os.getcwd(), '/w/elsewhere')\n",
    "puts_a_link_in_its_own_place": "here = os.getcwd()\nos.rename(here, '/w/x')\nos.symlink('/', here)\n",
    "links_to_the_root": "os.symlink('/', 'root')\nos.symlink('/ghostd', 'cell')\n",
    "links_in_a_circle": "os.symlink('a', 'b')\nos.symlink('b', 'a')\nos.symlink('.', 'self')\n",
    "leaves_folders_that_nobody_may_read": "for n in range(50):\n    os.makedirs(f'{n}/in/ner')\n    os.chmod(f'{n}/in', 0)\n    os.chmod(str(n), 0)\n",
    "leaves_names_that_are_no_text": "for n in range(1, 256):\n    if n not in (46, 47):\n        open(bytes([n]), 'w').close()\n",
    "leaves_the_longest_names": "for n in range(20):\n    open(chr(97 + n) * 255, 'w').close()\n",
    "leaves_pipes_and_sockets": "import socket\nos.mkfifo('pipe')\nsocket.socket(socket.AF_UNIX).bind('door')\n",
    "leaves_hard_links": "open('one', 'w').close()\nfor n in range(500):\n    os.link('one', str(n))\n",
    "fills_the_workspace": "try:\n    for n in range(9):\n        open(str(n), 'wb').write(bytes(15 << 20))\nexcept OSError:\n    pass\n",
    "removes_its_own_folder": "here = os.getcwd()\nos.chdir('/')\nos.rmdir(here)\n",
    "leaves_a_set_id_folder": "os.chmod('.', 0o6777)\nos.mkdir('x', 0o7777)\n",
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILERS)
async def test_a_spoiled_workspace_is_wiped_and_used_again(attack, name):
    assert await attack(f"import os\n{SPOILERS[name]}def f():\n    return 1\n") == 1


async def test_the_canary_file_of_the_host_can_be_reached_by_no_path(attack, canaries):
    code = (
        f"{REFUSED}def f():\n    path = {str(canaries.file)!r}\n"
        "    climb = '../' * 40 + path.lstrip('/')\n    os.symlink(path, 'link')\n"
        "    places = [path, climb, 'link', f'/proc/self/root{path}', f'/proc/1/root{path}', f'/proc/self/cwd/../..{path}']\n"
        "    return refused(*(lambda place=place: open(place, 'a') for place in places)) == len(places)\n"
    )
    assert await attack(code) is True


async def test_a_file_of_the_image_cannot_be_hard_linked_into_the_workspace(attack):
    assert await attack(f"{REFUSED}def f():\n    return refused(lambda: os.link(os.__file__, 'mine'))\n") == 1


async def test_the_cell_s_own_program_cannot_be_replaced_renamed_or_removed(attack):
    code = (
        f"{REFUSED}def f():\n    open('new', 'w').close()\n    return refused(lambda: os.replace('new', '/ghostd/zygote.py'),\n"
        "        lambda: os.rename('/ghostd', '/w/ghostd'), lambda: os.unlink('/ghostd/cell.py'), lambda: os.chmod('/ghostd', 0o777))\n"
    )
    assert await attack(code) == 4


async def test_kernel_settings_and_triggers_cannot_be_written(attack):
    code = (
        f"{REFUSED}def f():\n    paths = ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname',\n"
        "        '/proc/sys/vm/overcommit_memory', '/proc/sys/kernel/modprobe', '/sys/kernel/uevent_helper',\n"
        "        '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/pids/pids.max']\n"
        "    return refused(*(lambda path=path: os.open(path, os.O_WRONLY) for path in paths)) == len(paths)\n"
    )
    assert await attack(code) is True


async def test_kernel_memory_and_messages_cannot_be_read(attack):
    code = (
        "import os\ndef f():\n    read = []\n"
        "    for path in ('/proc/kcore', '/proc/kmsg', '/dev/mem', '/dev/kmsg', '/dev/port', '/proc/kpagecount', '/proc/1/mem'):\n"
        "        try:\n            if open(path, 'rb', buffering=0).read(1):\n                read.append(path)\n"
        "        except OSError:\n            pass\n    return read\n"
    )
    assert await attack(code) == []


async def test_no_disk_or_hardware_device_is_there(attack):
    code = (
        "import os, stat\ndef f():\n    found = []\n    for folder, _, names in os.walk('/dev'):\n        for name in names:\n"
        "            path = os.path.join(folder, name)\n            mode = os.lstat(path).st_mode\n"
        "            if stat.S_ISBLK(mode):\n                found.append(path)\n"
        "    return found + [p for p in ('/dev/kvm', '/dev/fuse', '/dev/net/tun', '/dev/vhost-vsock', '/dev/mem') if os.path.exists(p)]\n"
    )
    assert await attack(code) == []


async def test_a_program_written_into_the_workspace_gains_no_rights(attack):
    code = (
        "import os, shutil, subprocess, sys\ndef f():\n    shutil.copyfile('/proc/self/exe', 'mine')\n    os.chmod('mine', 0o6755)\n"
        "    try:\n        run = subprocess.run(['./mine', '-S', '-c', 'import os; print(os.geteuid() == 0)'], capture_output=True, text=True)\n"
        "    except OSError as refused:\n        return 'refused'\n    return run.stdout.strip() or 'refused'\n"
    )
    assert await attack(code) in ("refused", "False")


async def test_files_of_an_earlier_run_are_in_no_open_descriptor_either(attack):
    leave = "import os\nos.open('left', os.O_CREAT | os.O_RDWR)\nopen('left', 'w').write('secret')\ndef f():\n    return 1\n"
    look = (
        "import os\ndef f():\n    return [p for p in (os.readlink(f'/proc/self/fd/{n}') for n in range(20)\n"
        "        if os.path.lexists(f'/proc/self/fd/{n}')) if 'left' in p]\n"
    )
    # the run's own folder of descriptors may be closed to it: then there is nothing to find either
    assert await attack(look, before=(leave,)) in ([], "error")


async def test_a_zip_bomb_fills_its_own_memory_only(attack):
    code = "import zlib\nbomb = zlib.compress(bytes(300 << 20), 9)\ndef f():\n    return len(zlib.decompress(bomb))\n"
    small = (
        "import zlib\ndef bomb():\n    squeeze = zlib.compressobj(9)\n    piece = bytes(1 << 20)\n"
        "    return b''.join([*(squeeze.compress(piece) for _ in range(400)), squeeze.flush()])\n"
        "def f():\n    return len(zlib.decompress(bomb()))\n"
    )
    assert await attack(code) == "oom"
    assert await attack(small) == "oom"


async def test_a_sparse_file_is_no_larger_than_a_file_may_be(attack):
    code = (
        f"{REFUSED}import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "def f():\n    return refused(lambda: open('sparse', 'wb').truncate(1 << 40))\n"
    )
    assert await attack(code) == 1
