"""One execution: what was run (`Run`), what came of it (`Outcome`), and the record of both (`Evidence`)."""

from dataclasses import dataclass, field
from enum import StrEnum


class ExitClass(StrEnum):
    """How one execution ended. An outage is never one of these: it raises `SandboxUnavailable`."""

    OK = "ok"
    ERROR = "error"  # an exception, or the process left before it reported
    ASSERTION = "assertion"  # a check did not hold
    TIMEOUT = "timeout"  # wall or CPU time
    OOM = "oom"
    OUTPUT_LIMIT = "output_limit"
    SIGNAL = "signal"
    FORBIDDEN = "forbidden"  # a system call that the profile denies with a signal


@dataclass(frozen=True, slots=True)
class Limits:
    """What one execution may use. The cell's own limits stand above these."""

    wall_seconds: float = 2.0
    cpu_seconds: float = 2.0
    memory_bytes: int = 128 << 20
    output_bytes: int = 64 << 10  # stdout and stderr together
    value_bytes: int = 256 << 10  # canonical form of one value


@dataclass(frozen=True, slots=True)
class Variation:
    """What replays vary on purpose; a deterministic program does not notice."""

    hash_seed: int = 0
    start_time: float = 1_700_000_000.0  # what the program's clocks read at first, seconds since the epoch
    workspace: str = "w"  # name of the working directory


@dataclass(frozen=True, slots=True)
class Run:
    """One execution to make: load `code`, then make the calls, then evaluate the checks against `entry`.

    The code runs in one process and whoever examines it in another; arguments and results cross between
    them as canonical data, so the code under test never shares a process with its judge.
    """

    code: str
    entry: str
    calls: tuple[str, ...] = ()  # argument lists as source, e.g. "36, [1, 2]"
    checks: tuple[str, ...] = ()  # snippets (statements); each passes when it ends without an exception
    stop_on_failure: bool = False  # leave the remaining checks unreached after the first that fails
    limits: Limits = Limits()
    variation: Variation = Variation()


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What one call returned or raised."""

    value: str = ""  # canonical JSON, exact tier; '' when it raised
    exception: str = ""  # "ValueError: message"; '' when it returned


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """Whether one check was reached and held."""

    reached: bool
    passed: bool
    message: str = ""  # the assertion or exception when it did not


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    exit_class: ExitClass
    calls: tuple[CallOutcome, ...] = ()
    checks: tuple[CheckOutcome, ...] = ()
    stdout: str = ""  # capped at limits.output_bytes
    stderr: str = ""
    exception_type: str = ""  # of the first thing that went wrong
    exception_message: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    taints: tuple[str, ...] = ()  # sources of non-determinism that were touched: clock, random, environment ...

    @property
    def ok(self) -> bool:
        """Ran to its end with every call answered and every check passed."""
        return self.exit_class is ExitClass.OK


@dataclass(frozen=True, slots=True)
class Place:
    """Where an execution took place."""

    backend: str  # docker, bubblewrap or trusted
    image_id: str  # sha256 of the image, or of the bound runtime
    cell_version: str  # sha256 of cell.py
    cell_id: str  # the container or process that ran it


@dataclass(frozen=True, slots=True)
class Evidence:
    """The record of one execution."""

    rung: str  # static, executed, reproducible, tested ...
    purpose: str  # exercise, exam, claims, stub:none, mutant:3, replay:2 ...
    run: Run
    outcome: Outcome
    place: Place
    run_key: str  # H(schema, code, inputs, environment, image id, cell version, limits class)
    result_hash: str  # H(exit class, values, stdout, exception); never time, memory or addresses
    supports: bool = field(default=True)  # whether it speaks for the lesson (a stub that fails does)
