"""States that clients saved, by id: the last ones in memory, more on the disk; any number of requests may go on."""

import re
import secrets
from collections import OrderedDict
from pathlib import Path
from typing import Final

from trainer.decode.decoder import Decoder, Memory
from trainer.decode.state_file import load_state, save_state
from trainer.errors import CheckpointError
from trainer.serve.wire import BadRequest

_ID: Final = re.compile(r"state-[0-9a-f]{32}")
_IN_MEMORY: Final = 16


class States:
    """Used on the engine's thread.

    Args:
        decoder: whose memories these are.
        folder: of the files.
        model: the fingerprint of the model.
        most: files; the oldest ones are removed.

    """

    def __init__(self, decoder: Decoder, folder: Path, model: str, most: int) -> None:
        self._decoder, self._folder, self._model, self._most = decoder, folder, model, most
        self._recent: OrderedDict[str, Memory] = OrderedDict()

    def save(self, memory: Memory) -> str:
        """The id of the new state. Raises CheckpointError when the disk takes no more."""
        name = f"state-{secrets.token_hex(16)}"
        save_state(self._path(name), self._decoder.export(memory), self._model)
        self._remember(name, memory.fork())
        for old in self.names()[self._most :]:
            self.remove(old)
        return name

    def fork(self, name: str) -> Memory:
        """A memory of its own, in the state of that id. Raises BadRequest with status 404 when there is none."""
        if name not in self._recent:
            self._check(name)
            try:
                self._remember(name, self._decoder.restore(load_state(self._path(name), self._model)))
            except CheckpointError as error:
                raise BadRequest(str(error), status=404, param="state_id", code="state_not_found") from error
        self._recent.move_to_end(name)
        return self._recent[name].fork()

    def names(self) -> list[str]:
        """All ids, the newest first."""
        paths = [path for path in self._folder.glob("state-*.safetensors") if _ID.fullmatch(path.stem)]
        return [path.stem for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)]

    def remove(self, name: str) -> None:
        """Forgets the state. Raises BadRequest with status 404 when there is none."""
        self._check(name)
        self._recent.pop(name, None)
        self._path(name).unlink()

    def _check(self, name: str) -> None:
        if not _ID.fullmatch(name) or not self._path(name).exists():
            raise BadRequest(f"There is no state {name!r}.", status=404, param="state_id", code="state_not_found")

    def _remember(self, name: str, memory: Memory) -> None:
        self._recent[name] = memory
        while len(self._recent) > _IN_MEMORY:
            self._recent.popitem(last=False)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"
