"""The lock and the state file: one daemon for each data directory, and a state that is never half-written."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ghostd.daemon.health import DaemonState, DataDirectoryLock, is_running, read_state, write_state
from ghostd.errors import AlreadyRunning, ConfigurationError

HOLD = """
import sys, time
from pathlib import Path
from ghostd.daemon.health import DataDirectoryLock
with DataDirectoryLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def state(**changes: object) -> DaemonState:
    values = {"pid": 1, "started_at": 1.0, "heartbeat_at": 2.0, "phase": "working", "teacher": "t", "sandbox": "s"}
    return DaemonState(**{**values, "store": "embedded", **changes})


def test_the_lock_is_exclusive_and_free_again_afterwards(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    with DataDirectoryLock(tmp_path):
        assert is_running(tmp_path)
        with pytest.raises(AlreadyRunning, match="ghostd stop"), DataDirectoryLock(tmp_path):
            pass
        assert is_running(tmp_path), "who was refused frees nothing"
    assert not is_running(tmp_path)
    with DataDirectoryLock(tmp_path):
        pass


def test_the_lock_is_freed_when_its_holder_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_running(tmp_path)
        with pytest.raises(AlreadyRunning), DataDirectoryLock(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        assert not is_running(tmp_path)
        with DataDirectoryLock(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_those_who_only_look_never_keep_a_daemon_from_starting(tmp_path: Path) -> None:
    with DataDirectoryLock(tmp_path):
        pass  # the file exists now
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            is_running(tmp_path)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for one in lookers:
        one.start()
    try:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            with DataDirectoryLock(tmp_path):
                pass
    finally:
        ended.set()
        for one in lookers:
            one.join()


def test_the_data_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    with DataDirectoryLock(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / "daemon.lock").stat().st_mode & 0o077 == 0


def test_a_data_directory_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ConfigurationError, match=r"file/data.*--data-dir"),
        DataDirectoryLock(tmp_path / "file" / "data"),
    ):
        pass


def test_the_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    told = state(choices=["teacher: größer"], alarm="the database is away")
    write_state(tmp_path, told)
    assert read_state(tmp_path) == told


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "5", '{"pid": 1}', '{"unknown": 1}', "\xff\xfe"])
def test_a_state_file_that_makes_no_sense_is_no_state(tmp_path: Path, content: str) -> None:
    (tmp_path / "daemon.json").write_bytes(content.encode("latin-1"))
    assert read_state(tmp_path) is None


def test_there_is_no_state_before_the_first_start(tmp_path: Path) -> None:
    assert read_state(tmp_path / "nowhere") is None
    assert not is_running(tmp_path / "nowhere")


def test_a_reader_never_sees_half_a_state(tmp_path: Path) -> None:
    write_state(tmp_path, state())
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            write_state(tmp_path, state(choices=["x" * 100_000]))
            write_state(tmp_path, state())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(read_state(tmp_path) is not None for _ in range(300))
    finally:
        ended.set()
        writer.join()
    assert [path.name for path in tmp_path.iterdir()] == ["daemon.json"], "nothing is left beside it"
