"""What systemd hears, on a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ghostd.daemon.notify import notify, watchdog_seconds


@contextmanager
def service_manager(address: str) -> Iterator[socket.socket]:
    """A socket that listens as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(2)
        yield listener


def test_a_message_arrives_whole_on_a_socket_in_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with service_manager(path) as manager:
        assert notify("READY=1", "STATUS=learning from größe")
        assert manager.recv(4096).decode() == "READY=1\nSTATUS=learning from größe"


def test_an_at_sign_names_the_abstract_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ghostd-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with service_manager(f"\0{name}") as manager:
        assert notify("WATCHDOG=1")
        assert manager.recv(4096) == b"WATCHDOG=1"


def test_nothing_is_sent_when_systemd_did_not_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")


def test_a_manager_that_went_away_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("microseconds", "owner", "seconds"),
    [
        ("60000000", "", 30.0),
        ("60000000", str(os.getpid()), 30.0),
        ("60000000", "1", 0.0),  # meant for another process
        ("", "", 0.0),
        ("soon", "", 0.0),
    ],
    ids=["for anybody", "for this process", "for another process", "not asked for", "not a number"],
)
def test_the_watchdog_is_fed_twice_in_its_period(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, owner: str, seconds: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", owner)
    assert watchdog_seconds() == seconds
