"""Every error that the trainer raises on purpose; each message is one sentence that names the remedy.

TrainerError
├── ConfigError       run.json cannot be meant as it stands
├── DataError         the dataset folder is not whole, or holds nothing to learn from
├── CheckpointError   a checkpoint is missing, damaged, or of another run
└── Diverged          the loss is no longer a number
"""


class TrainerError(Exception):
    """The base of all; the command line prints it without a traceback."""


class ConfigError(TrainerError):
    """`run.json` cannot be meant as it stands."""


class DataError(TrainerError):
    """The dataset folder is not whole, or holds nothing to learn from."""


class CheckpointError(TrainerError):
    """A checkpoint is missing, damaged, or of another run."""


class Diverged(TrainerError):
    """The loss is no longer a number."""
