"""Attacks over the network: nothing outside the cell can be reached, by any door."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

REFUSED = """
def refused(*attempts):
    count = 0
    for attempt in attempts:
        try:
            attempt()
        except OSError:
            count += 1
    return count
"""


async def test_a_port_that_listens_on_the_host_cannot_be_connected_to(attack, canaries):
    code = (
        f"{REFUSED}import socket\ndef f():\n"
        f"    return refused(*(lambda host=host: socket.create_connection((host, {canaries.port}), 1)\n"
        "                     for host in ('127.0.0.1', '::1', 'localhost', '172.17.0.1', '169.254.169.254')))\n"
    )
    assert await attack(code) == 5


async def test_no_name_can_be_resolved(attack):
    code = (
        f"{REFUSED}import socket\ndef f():\n"
        "    return refused(lambda: socket.getaddrinfo('example.com', 80), lambda: socket.gethostbyname('example.com'))\n"
    )
    assert await attack(code) == 2


async def test_no_web_page_can_be_fetched(attack):
    code = f"{REFUSED}import urllib.request\ndef f():\n    return refused(lambda: urllib.request.urlopen('http://1.1.1.1/', timeout=2))\n"
    assert await attack(code) == 1


async def test_no_server_can_be_started(attack):
    code = f"{REFUSED}import socket\ndef f():\n    return refused(lambda: socket.create_server(('0.0.0.0', 8080)))\n"
    assert await attack(code) == 1


async def test_a_socket_pair_of_another_family_loads_no_kernel_module(attack):
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def f():\n    seen, pair = set(), (ctypes.c_int * 2)()\n"
        "    for family in (0, *range(2, 46)):\n        for kind in (1, 2, 3, 4, 5, 6):\n"
        "            ctypes.set_errno(0)\n            libc.socketpair(family, kind, 0, pair)\n"
        "            seen.add(ctypes.get_errno())\n    return sorted(seen)\n"
    )
    assert await attack(code) == [1]  # EPERM from the filter: the kernel was never asked whether it knows the family


async def test_descriptors_cannot_be_sent_to_another_process(attack):
    code = (
        f"{REFUSED}import socket\ndef f():\n    one, two = socket.socketpair()\n"
        "    return refused(lambda: socket.send_fds(one, [b'x'], [0]))\n"
    )
    assert await attack(code) == 1


async def test_descriptors_in_flight_do_not_keep_another_cell_from_running(sandbox):
    import asyncio

    from ghostd.core.evidence import Limits, Run

    flood = (
        "import array, socket, time\ndef f():\n    one, two = socket.socketpair()\n"
        "    send = lambda count: one.sendmsg([b'x'], [(1, 1, array.array('i', [two.fileno()] * count))])\n"
        "    try:\n        send(60)\n        while True:\n            send(253)\n    except OSError:\n        pass\n"
        "    time.sleep(1.5)\n"
    )
    innocent = Run(code="def f():\n    return 42\n", entry="f", calls=("",))
    async with sandbox.cell() as hostile, sandbox.cell() as other:
        flooding = asyncio.ensure_future(hostile.run([Run(flood, "f", ("",), limits=Limits(wall_seconds=10))]))
        await asyncio.sleep(0.7)
        outcomes = await other.run([innocent] * 3)
        await flooding
    assert all(outcome.ok for outcome in outcomes), outcomes


async def test_a_unix_socket_in_the_workspace_reaches_nobody_else(sandbox):
    from ghostd.core.canonical import decode
    from ghostd.core.evidence import Run

    serve = "import socket\nkept = socket.socket(socket.AF_UNIX)\nkept.bind('/w/door')\nkept.listen()\ndef f():\n    return 1\n"
    knock = (
        "import socket\ndef f():\n    try:\n        socket.socket(socket.AF_UNIX).connect('/w/door')\n        return 'reached'\n"
        "    except OSError as e:\n        return type(e).__name__\n"
    )
    async with sandbox.cell() as one, sandbox.cell() as two:
        await one.run([Run(serve, "f", ("",))])
        same, other = await one.run([Run(knock, "f", ("",))]) + await two.run([Run(knock, "f", ("",))])
    assert [decode(outcome.calls[0].value) for outcome in (same, other)] == ["FileNotFoundError"] * 2
