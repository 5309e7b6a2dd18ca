"""Every error that the trainer raises on purpose; each message is one sentence that names the remedy.

TrainerError
├── ConfigError       run.json cannot be meant as it stands
├── DataError         the dataset folder is not whole, or holds nothing to learn from
├── CheckpointError   a checkpoint is missing, damaged, or of another run
├── ExportError       the model does not fit the layout that was asked for
├── Diverged          the loss is no longer a number
├── ServeError        the server cannot begin
├── EndpointError     an endpoint does not answer, or not as OpenAI's interface says
└── ExecutionError    the program that executes code gave no verdict
"""


class TrainerError(Exception):
    """The base of all; the command line prints it without a traceback."""


class ConfigError(TrainerError):
    """`run.json` cannot be meant as it stands."""


class DataError(TrainerError):
    """The dataset folder is not whole, or holds nothing to learn from."""


class CheckpointError(TrainerError):
    """A checkpoint is missing, damaged, or of another run."""


class ExportError(TrainerError):
    """The model does not fit the layout that was asked for."""


class Diverged(TrainerError):
    """The loss is no longer a number."""


class ServeError(TrainerError):
    """The server cannot begin."""


class EndpointError(TrainerError):
    """An endpoint does not answer, or not as OpenAI's interface says."""


class ExecutionError(TrainerError):
    """The program that executes code gave no verdict; it says nothing about the code."""
