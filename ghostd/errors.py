"""Every error that ghostd raises on purpose; a module of names, it does nothing else.

    GhostdError
    ├── ConfigurationError      exit 2
    ├── StoreError              exit 3
    │   ├── StoreUnavailable
    │   └── LedgerAltered
    ├── TeacherError            exit 4
    │   ├── TeacherUnavailable
    │   ├── TeacherRejected
    │   └── BudgetExceeded
    ├── SandboxError            exit 5
    │   ├── SandboxUnavailable
    │   └── IsolationRefused
    ├── NotFound                exit 6
    ├── AlreadyRunning          exit 7
    ├── NotRunning              exit 8
    ├── ExportError             exit 9
    ├── VerificationFailed      exit 10
    │   └── CrystallisationPaused
    └── TrainingError           exit 11
        ├── TrainerMissing
        └── TrainingFailed

The docstring is the default message. A message is one sentence that says what is wrong and what mends it.
What *failed* is a value (a verdict, a rejected attempt); what could not be *run* is one of these exceptions.
"""


class GhostdError(Exception):
    """Something went wrong."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ConfigurationError(GhostdError):
    """A setting is missing or wrong; `ghostd config show` prints what is in force."""

    exit_code = 2


class StoreError(GhostdError):
    """The database refused an operation."""

    exit_code = 3


class StoreUnavailable(StoreError):
    """The database cannot be reached; check database.url or leave it out to use the embedded Postgres."""


class LedgerAltered(StoreError):
    """The ledger is not the one whose head was signed; `ghostd ledger check` names what differs."""


class TeacherError(GhostdError):
    """The teacher could not be used."""

    exit_code = 4


class TeacherUnavailable(TeacherError):
    """The teacher's endpoint does not answer; start it or change teacher.base_url."""


class TeacherRejected(TeacherError):
    """The teacher's endpoint refuses the key or the model; check teacher.api_key and teacher.model."""


class BudgetExceeded(TeacherError):
    """A token or money cap would be passed, so the call was not made; raise teacher.budget.* to go on."""


class SandboxError(GhostdError):
    """The sandbox could not be used."""

    exit_code = 5


class SandboxUnavailable(SandboxError):
    """No sandbox could run the code; `ghostd doctor` says which backend is missing what."""


class IsolationRefused(SandboxError):
    """Code of this teacher is not run without isolation; install Docker or bubblewrap."""


class NotFound(GhostdError):
    """There is nothing by that name."""

    exit_code = 6


class AlreadyRunning(GhostdError):
    """Another ghostd uses this data directory; stop it with `ghostd stop` or choose another --data-dir."""

    exit_code = 7


class NotRunning(GhostdError):
    """No ghostd runs on this data directory; start one with `ghostd start`."""

    exit_code = 8


class ExportError(GhostdError):
    """The dataset could not be written; nothing half-written was left behind."""

    exit_code = 9


class VerificationFailed(GhostdError):
    """The crystal did not verify again."""

    exit_code = 10


class CrystallisationPaused(VerificationFailed):
    """Calibration found the verifier fooled, so crystallisation pauses; `ghostd calibration` shows how to go on."""


class TrainingError(GhostdError):
    """The student could not be trained, asked or served."""

    exit_code = 11


class TrainerMissing(TrainingError):
    """The trainer's libraries are not installed; `pip install 'ghostd[train]'` adds them."""


class TrainingFailed(TrainingError):
    """The trainer ended without a student; its log in the run's folder says why."""
