"""The container engine behind its Docker-compatible socket: the one file that imports the Docker SDK.

Blocking calls, made from threads by `docker`; every failure of the engine becomes SandboxUnavailable.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ghostd.errors import SandboxUnavailable

CALL_SECONDS = 60.0
USER = 65532  # owns nothing in the image or on any usual host
FILES = 4096  # files and folders in a cell's workspace
_REMOVING = 409  # HTTP: someone else removes it already


def usual_hosts() -> list[str]:
    """Sockets to look for, rootless engines first: access to a root engine is as good as root."""
    personal = f"/run/user/{os.getuid()}"
    paths = (
        f"{personal}/docker.sock",
        f"{personal}/podman/podman.sock",
        "/var/run/docker.sock",
        "/run/podman/podman.sock",
    )
    return [f"unix://{path}" for path in paths if os.access(path, os.W_OK)]


@dataclass(frozen=True, slots=True)
class Listed:
    """A container as the engine lists it."""

    id: str
    labels: Mapping[str, str]
    state: str  # created, running, exited, dead ...
    created_at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the engine describes it."""

    id: str  # sha256:...
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CellSpecification:
    """Everything that shapes a container, and nothing that varies between two cells of one sandbox."""

    image_id: str
    arguments: tuple[str, ...]  # to the image's entry point
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    seccomp: str  # the profile's JSON
    memory_bytes: int
    pids: int
    nano_cpus: int
    workspace_bytes: int
    open_files: int
    runtime: str
    cgroup_parent: str


class Engine:
    """A connection to one engine."""

    def __init__(self, host: str) -> None:
        import docker

        self.host = host
        self._client: Any
        with translated("did not answer"):
            _knock(host)
            self._client = docker.APIClient(base_url=host, timeout=int(CALL_SECONDS), version="auto")
            version = self._client.version()
            information = self._client.info()
        components = {part.get("Name", "") for part in version.get("Components") or ()}
        self.is_podman = any("Podman" in name for name in components)
        self.name = "Podman" if self.is_podman else "Docker"
        self.runtimes = frozenset(information.get("Runtimes") or ())
        self._seccomp_file = ""

    def image(self, name: str) -> Image | None:
        """The image by name, or None."""
        import docker.errors

        with translated("could not describe the image"):
            try:
                found = self._client.inspect_image(name)
            except docker.errors.ImageNotFound:
                return None
        return Image(found["Id"], (found.get("Config") or {}).get("Labels") or {})

    def create(self, cell: CellSpecification, labels: Mapping[str, str]) -> str:
        """A container that is not started yet, with more labels; its id."""
        from docker.types import LogConfig, Ulimit

        with translated("could not create a container"):
            limits = self._client.create_host_config(
                network_mode="none",
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true", f"seccomp={self._seccomp(cell.seccomp)}"],
                mem_limit=cell.memory_bytes,
                memswap_limit=cell.memory_bytes,
                pids_limit=cell.pids,
                nano_cpus=cell.nano_cpus,
                oom_score_adj=900,
                ulimits=[
                    Ulimit(name="core", soft=0, hard=0),
                    Ulimit(name="nofile", soft=256, hard=256),
                    Ulimit(name="memlock", soft=0, hard=0),
                ],
                ipc_mode="none",  # no /dev/shm, no System V objects shared with anyone
                tmpfs={
                    "/w": f"size={cell.workspace_bytes},nr_inodes={FILES},noexec,nosuid,nodev,mode=0700,"
                    f"uid={USER},gid={USER}"
                },
                log_config=LogConfig(type="none"),
                auto_remove=False,  # a container that vanishes by itself hides why it died
                runtime=cell.runtime or None,
                cgroup_parent=cell.cgroup_parent or None,
            )
            created = self._client.create_container(
                image=cell.image_id,
                command=list(cell.arguments),
                user=f"{USER}:{USER}",
                hostname="ghost",
                working_dir="/w",
                environment=dict(cell.environment),
                labels={**cell.labels, **labels},
                stdin_open=True,
                tty=False,
                network_disabled=True,
                host_config=limits,
            )
        return str(created["Id"])

    def attach(self, container: str) -> socket.socket:
        """The container's streams as one socket, to be called before start so that nothing is missed."""
        with translated("could not attach to a container"):
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            holder = self._client.attach_socket(container, params=streams)
        copy = socket.socket(fileno=os.dup(holder.fileno()))
        holder._sock.close()  # noqa: SLF001 - the SDK hands out a reader and leaves the socket under it open
        holder.close()
        return copy

    def start(self, container: str) -> None:
        """Start a created container."""
        with translated("could not start a container"):
            self._client.start(container)

    def remove(self, container: str) -> None:
        """Kill and remove a container with its volumes; one that is gone already is fine."""
        import docker.errors

        with translated("could not remove a container"):
            try:
                self._client.remove_container(container, v=True, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as problem:
                if problem.status_code != _REMOVING:
                    raise

    def labelled(self, label: str) -> list[Listed]:
        """Every container that carries a label, running or not."""
        with translated("could not list containers"):
            found: list[dict[str, Any]] = self._client.containers(all=True, filters={"label": label})
        return [Listed(one["Id"], one["Labels"], str(one["State"]), float(one["Created"])) for one in found]

    def close(self) -> None:
        """Close the connection and delete what was written for it."""
        self._client.close()
        if self._seccomp_file:
            Path(self._seccomp_file).unlink()
            self._seccomp_file = ""

    def _seccomp(self, profile: str) -> str:
        """Docker takes the profile's text, Podman a path to it (moby #45044, podman #13791 in backend.ai)."""
        if not self.is_podman:
            return profile
        if not self._seccomp_file:
            import tempfile

            with tempfile.NamedTemporaryFile("w", prefix="ghostd-seccomp-", suffix=".json", delete=False) as file:
                file.write(profile)
            self._seccomp_file = file.name
        return self._seccomp_file


def _knock(host: str) -> None:
    """Raise OSError when nobody listens on a Unix socket; the SDK would leave its own socket open then."""
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(CALL_SECONDS)
            visitor.connect(host.removeprefix("unix://"))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the SDK's and the transport's errors into SandboxUnavailable."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as problem:
        raise SandboxUnavailable(f"The container engine {what}: {problem}") from problem
