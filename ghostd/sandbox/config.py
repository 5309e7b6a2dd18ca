"""How runs are isolated and how much a cell may use; nothing here starts anything."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Backend(StrEnum):
    """Where cells live."""

    AUTO = "auto"
    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"
    TRUSTED = "trusted"


class SandboxConfig(BaseModel):
    """The sandbox's settings. Limits of single runs come with each run; these stand above them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # auto takes Docker or Podman when its socket answers, else bubblewrap, else trusted where that is allowed
    backend: Backend = Backend.AUTO
    # name of the image; sandbox/build makes it when it is missing
    image: str = "ghostd-sandbox"
    # e.g. unix:///run/user/1000/podman/podman.sock; '' asks DOCKER_HOST and the usual places
    docker_host: str = ""
    # OCI runtime; '' takes runsc (gVisor) when the engine has it, else the engine's own
    runtime: str = ""
    # parent of the containers' cgroups, for a cap over all of them; '' leaves the engine's
    cgroup_parent: str = ""
    # cells kept started and attached before they are needed
    warm_cells: Annotated[int, Field(ge=0, le=64)] = 3
    # containers created or removed at the same time; engines slow down beyond two
    lifecycle_in_flight: Annotated[int, Field(ge=1, le=32)] = 2
    # memory of a whole cell in MiB, swap included: zygotes, supervisor and the run
    memory_mib: Annotated[int, Field(ge=64)] = 512
    # processes and threads of a whole cell
    pids: Annotated[int, Field(ge=16)] = 48
    # CPU share of a cell in units of 1e-9 CPU
    nano_cpus: Annotated[int, Field(ge=10_000_000)] = 1_000_000_000
    # writable space of a cell in MiB
    workspace_mib: Annotated[int, Field(ge=1)] = 64
    # largest file in MiB that a run may write
    file_mib: Annotated[int, Field(ge=1)] = 16
    # descriptors of a run
    open_files: Annotated[int, Field(ge=16)] = 64
    # until a cell must be ready after it was asked for
    start_seconds: Annotated[float, Field(gt=0)] = 60.0
    # added to the sum of a batch's wall limits before the cell counts as dead
    grace_seconds: Annotated[float, Field(gt=0)] = 30.0
    # between sweeps for containers whose owner is dead
    reap_seconds: Annotated[float, Field(gt=0)] = 60.0
    # run any teacher's code in a plain process; what it does to this account is then up to the teacher
    allow_unisolated: bool = False
