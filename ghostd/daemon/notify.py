"""Tells systemd how the daemon is doing (sd_notify(3)); does nothing when systemd did not start it."""

import os
import socket


def notify(*assignments: str) -> bool:
    """Send e.g. "READY=1", "STATUS=..." to the service manager; whether one is listening."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.connect(address)
            channel.sendall("\n".join(assignments).encode())
        except OSError:  # the manager went away; the daemon goes on
            return False
    return True


def watchdog_seconds() -> float:
    """Half of the watchdog period that systemd asked for; 0 when it asked for none."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    owner = os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or (owner and owner != str(os.getpid())):
        return 0.0
    return int(wanted) / 2_000_000
