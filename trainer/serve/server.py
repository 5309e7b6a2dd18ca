"""Serves a run's model on a port until it is told to stop; the routes are in `app`."""

import asyncio
import contextlib
import errno
import socket
import sys
from pathlib import Path
from typing import Literal

import uvicorn

from trainer.checkpoint import Name
from trainer.decode.choose import Choice, decoder_for
from trainer.decode.draft import Drafter, HeadsDrafter, LookupDrafter
from trainer.decode.prefix_cache import PrefixCache
from trainer.decode.state_file import fingerprint
from trainer.errors import ServeError
from trainer.generate import load_model
from trainer.model import LanguageModel
from trainer.serve.app import create_app
from trainer.serve.states import States
from trainer.serve.work import Desk

Draft = Literal["none", "heads", "lookup"]

_BACKLOG = 128
_MOST_STATES = 1000
_MEBIBYTE = 2**20


def desk_of(
    model: LanguageModel, states: Path, *, weights: Choice = "auto", draft: Draft = "none", cache: int = 256
) -> Desk:
    """What requests share.

    Args:
        model: the model.
        states: the folder of saved states.
        weights: see `decoder_for`.
        draft: who guesses ids that are read together.
        cache: MiB for the beginnings of prompts.

    """
    decoder = decoder_for(model, weights)
    drafters: dict[Draft, type[Drafter] | None] = {"none": None, "heads": HeadsDrafter, "lookup": LookupDrafter}
    kind = drafters[draft]
    return Desk(
        decoder,
        PrefixCache(decoder, most=cache * _MEBIBYTE),
        States(decoder, states, fingerprint(model), _MOST_STATES),
        lambda: kind() if kind else None,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises ServeError that names the remedy."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServeError(f"Port {port} on {host} is in use; choose another with --port.") from error
        reason = error.strerror or str(error)
        raise ServeError(f"Cannot listen on {host}:{port} ({reason}); choose another --host or --port.") from error
    return listener


def serve(
    run: Path, checkpoint: Name, host: str, port: int, *, weights: Choice, draft: Draft, active: int, cache: int
) -> str:
    """Serves until SIGINT or SIGTERM.

    Raises:
        CheckpointError: there is no model.
        ServeError: the port cannot be had.

    """
    listener = listen(host, port)
    model, _ = load_model(run, checkpoint)
    desk = desk_of(model, run / "states", weights=weights, draft=draft, cache=cache)
    name = run.resolve().name
    where = f"http://{host}:{listener.getsockname()[1]}/v1"
    config = uvicorn.Config(create_app(desk, name, active=active), log_level="warning", access_log=False)
    sys.stdout.write(f"{name} at {where}, {desk.decoder.description}\n")
    sys.stdout.flush()  # who started the server may wait for this line
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in good order, and then sends itself the signal again
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
    return where
