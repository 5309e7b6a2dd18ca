"""The embedded Postgres as a process: started, killed, shared, left behind, and placed under closed directories."""

import os
import pwd
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ghostd.db.config import StoreConfig
from ghostd.db.embedded import Embedded, connect_info
from ghostd.db.placement import choose_account, installed_programs, place, reachable
from ghostd.db.process import credentials, processes_in
from ghostd.db.server import answers
from ghostd.db.store import open_store
from ghostd.errors import AlreadyRunning, ConfigurationError, StoreUnavailable
from tests.sql import execute

pytest_plugins = ["tests.postgres"]

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who hands the server to another account")


def cluster_of(data_directory: Path) -> Path:
    return place(data_directory).cluster


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def server(open_directory: Path) -> Iterator[Embedded]:
    server = Embedded(open_directory)
    yield server
    server.stop()


def owner_process(
    data_directory: Path, body: str, python: Path = Path(sys.executable), **options: object
) -> subprocess.Popen[str]:
    """A process of its own that owns the server and prints what it has committed."""
    program = f"import sys\nfrom pathlib import Path\ndata = Path(sys.argv[1])\n{body}"
    command = [python, "-c", program, str(data_directory)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def test_a_fresh_start_a_stop_and_a_restart_keep_the_data(open_directory: Path) -> None:
    server = Embedded(open_directory)
    url = server.start()
    execute(url, "CREATE TABLE kept AS SELECT 42 AS value")
    server.stop()
    assert processes_in(cluster_of(open_directory)) == []
    assert connect_info(open_directory) is None
    again = Embedded(open_directory)
    url = again.start()
    assert execute(url, "SELECT value FROM kept") == [(42,)]
    again.stop()


def test_the_server_listens_on_its_socket_alone_and_only_for_us(server: Embedded) -> None:
    url = server.start()
    assert execute(url, "SHOW listen_addresses") == [("",)]
    assert execute(url, "SHOW fsync") == [("on",)]
    socket = Path(str(url.query["host"])) / ".s.PGSQL.5432"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(host=str(socket.parent), user="postgres", dbname="postgres")


def test_a_second_owner_is_refused_and_a_visitor_is_let_in(
    server: Embedded, open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.start()
    visitor = Embedded(open_directory)
    assert visitor.start(exclusive=False) == url
    assert not visitor.owns_server
    visitor.stop()
    assert execute(url, "SELECT 1") == [(1,)]
    monkeypatch.setattr("ghostd.db.embedded._OWNER_WAIT_SECONDS", 0.2)
    with pytest.raises(AlreadyRunning):
        Embedded(open_directory).start()


async def test_the_store_opens_and_closes_with_its_server(open_directory: Path) -> None:
    async with await open_store(StoreConfig(), open_directory) as store:
        assert store.embedded
        assert await store.crystal_count() == 0
        async with await open_store(StoreConfig(), open_directory) as beside:
            assert await beside.crystal_count() == 0
    assert processes_in(cluster_of(open_directory)) == []


def test_a_killed_postmaster_comes_back_with_everything_that_was_committed(server: Embedded) -> None:
    url = server.start()
    execute(url, "CREATE TABLE written (number int PRIMARY KEY)")
    dice = random.Random(7)
    committed = 0
    for _ in range(5):
        until = time.monotonic() + dice.uniform(0.02, 0.2)
        while time.monotonic() < until:
            execute(url, f"INSERT INTO written VALUES ({committed})")
            committed += 1
        os.kill(server.server_pid, signal.SIGKILL)

        wait_until(lambda: server.server_pid is not None and answers(url))
        assert execute(url, "SELECT count(*) FROM written") == [(committed,)]
    assert committed > 5


_OWNER = """
from ghostd.db.embedded import Embedded
import psycopg
url = Embedded(data).start()
connection = psycopg.connect(host=url.query["host"], user=url.username, dbname=url.database, autocommit=True)
connection.execute("CREATE TABLE IF NOT EXISTS written (number bigint PRIMARY KEY)")
number = connection.execute("SELECT coalesce(max(number) + 1, 0) FROM written").fetchone()[0]
print("ready", flush=True)
while True:
    connection.execute("INSERT INTO written VALUES (%s)", (number,))
    print(number, flush=True)
    number += 1
"""


def test_a_killed_owner_leaves_no_process_and_loses_nothing(open_directory: Path) -> None:
    dice = random.Random(11)
    last = -1
    for _ in range(5):
        owner = owner_process(open_directory, _OWNER)
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.0, 0.3))
        owner.kill()
        printed = [int(line) for line in owner.stdout.read().split("\n")[:-1] if line]
        owner.wait()
        owner.stdout.close()
        last = max([last, *printed])
    server = Embedded(open_directory)
    url = server.start()  # at once: the last server may still be on its way out
    ((count, highest),) = execute(url, "SELECT count(*), max(number) FROM written")
    assert highest >= last
    assert count == highest + 1
    server.stop()
    assert processes_in(cluster_of(open_directory)) == []


def test_without_a_new_owner_the_server_ends_by_itself(open_directory: Path) -> None:
    owner = owner_process(open_directory, _OWNER)
    assert owner.stdout is not None
    owner.stdout.readline()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until(lambda: not processes_in(cluster_of(open_directory)), 5.0)


def test_a_server_without_an_owner_is_ended_before_the_next_start(open_directory: Path, server: Embedded) -> None:
    server.start()
    server.stop()
    placement = place(open_directory)
    account = placement.account
    orphan = subprocess.Popen(
        [
            placement.programs / "bin" / "postgres",
            *("-D", placement.cluster, "-c", "listen_addresses="),
            *("-c", f"unix_socket_directories={placement.socket_directory}"),
        ],
        **credentials(account),
        cwd="/",
        stderr=subprocess.DEVNULL,
    )
    wait_until((placement.cluster / "postmaster.pid").exists)
    again = Embedded(open_directory)
    url = again.start()
    assert orphan.wait(5) is not None
    assert execute(url, "SELECT 1") == [(1,)]
    again.stop()


def test_stale_lock_files_that_name_a_stranger_do_not_stop_the_start(open_directory: Path, server: Embedded) -> None:
    server.start()
    server.stop()
    account = place(open_directory).account  # a process of somebody else's would not be taken for a server
    stranger = subprocess.Popen(["sleep", "60"], **credentials(account))
    try:
        pid_file = cluster_of(open_directory) / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{pid_file.parent}\n1700000000\n5432\n\n\n")
        sockets = place(open_directory).socket_directory
        assert sockets is not None
        (sockets / ".s.PGSQL.5432.lock").write_text(pid_file.read_text())
        again = Embedded(open_directory)
        url = again.start()
        assert execute(url, "SELECT 1") == [(1,)]
        again.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_first_start_is_begun_anew(open_directory: Path, server: Embedded) -> None:
    partial = place(open_directory).cluster.with_name("cluster.partial")
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    assert execute(server.start(), "SELECT 1") == [(1,)]
    assert not partial.exists()


def test_a_server_that_cannot_start_says_why(open_directory: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"shared_buffers.*database\.url"):
        Embedded(open_directory, settings={"shared_buffers": "much"}).start()
    assert processes_in(cluster_of(open_directory)) == []


def test_a_cluster_of_another_version_is_refused(open_directory: Path, server: Embedded) -> None:
    server.start()
    server.stop()
    (cluster_of(open_directory) / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match=r"Postgres 17.*pg_dump"):
        Embedded(open_directory).start()


def test_a_long_path_gets_a_short_socket(open_directory: Path) -> None:
    deep = open_directory / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    server = Embedded(deep)
    url = server.start()
    assert len(str(url.query["host"])) < 90
    assert execute(url, "SELECT 1") == [(1,)]
    visitor = Embedded(deep)
    assert visitor.start(exclusive=False) == url
    visitor.stop()
    server.stop()
    assert not Path(str(url.query["host"])).exists()


@as_root
def test_closed_directories_stay_closed_and_the_server_runs_elsewhere(tmp_path: Path, open_directory: Path) -> None:
    home = tmp_path / "home"
    data = home / "data"
    data.mkdir(parents=True)
    home.chmod(0o700)
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, home, data)}
    system = open_directory / "system"
    server = Embedded(data, system_directory=system)
    url = server.start()
    assert execute(url, "SELECT 1") == [(1,)]
    assert str(url.query["host"]).startswith(str(system / "clusters"))
    status = Path(f"/proc/{server.server_pid}").stat()
    assert status.st_uid == choose_account().uid != 0
    server.stop()
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in before} == before
    again = Embedded(data, system_directory=system)
    assert again.start() == url
    again.stop()
    assert len(list((system / "clusters").iterdir())) == 1


@as_root
def test_programs_that_the_account_cannot_read_are_copied_once(
    tmp_path: Path, open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = installed_programs().parent
    venv = tmp_path / "venv"
    for folder in (f"{package.name}/{installed_programs().name}", f"{package.name}.libs"):
        shutil.copytree(package.parent / folder, venv / folder, symlinks=True, copy_function=os.link)
    venv.chmod(0o700)
    closed = venv / package.name / installed_programs().name
    monkeypatch.setattr("ghostd.db.placement.installed_programs", lambda: closed)
    system = open_directory / "system"
    data = open_directory / "data"
    data.mkdir()
    data.chmod(0o755)
    placement = place(data, system_directory=system)
    assert placement.programs.is_relative_to(system)
    assert reachable(placement.programs / "bin" / "postgres", placement.account)
    assert place(data, system_directory=system) == placement
    server = Embedded(data, system_directory=system)
    assert execute(server.start(), "SELECT to_tsvector('english', 'running') @@ 'run'::tsquery") == [(True,)]
    server.stop()


@as_root
def test_a_normal_user_runs_the_server_as_himself(tmp_path: Path, open_directory: Path) -> None:
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("needs a user nobody")
    version = f"python3.{sys.version_info.minor}"
    pythons = [Path(one) for one in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")) if one]
    python = next((one for one in pythons if reachable(one, choose_account())), None)
    packages = installed_programs().parent.parent
    if python is None or not all(reachable(one, choose_account()) for one in (ROOT / "ghostd", packages)):
        pytest.skip(f"needs a {version}, a checkout and packages that a normal user can read")
    os.chown(open_directory, nobody.pw_uid, nobody.pw_gid)
    body = """
import asyncio
from ghostd.db.config import StoreConfig
from ghostd.db.server import answers
from ghostd.db.store import open_store
async def main():
    async with await open_store(StoreConfig(), data) as store:
        print(await store.crystal_count(), store._server.server_pid, flush=True)
        sys.stdin.readline()
asyncio.run(main())
"""
    user = owner_process(
        open_directory,
        body,
        python,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        stdin=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert user.stdout is not None
    count, pid = user.stdout.readline().split()
    assert count == "0"
    assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
    user.communicate("\n")
    assert user.returncode == 0
    assert not Path(f"/proc/{pid}").exists()
