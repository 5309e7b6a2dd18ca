"""ghostd: a daemon that turns a large language model into verified knowledge. Importing it does nothing."""

__version__ = "0.1.0"
