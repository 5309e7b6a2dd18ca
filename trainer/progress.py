"""The progress line: how fast, how long still; arithmetic on times that are handed in."""

from dataclasses import dataclass
from typing import Final

_EVERY_SECONDS: Final = 5.0
_SMOOTHING: Final = 0.95  # of the loss that is shown, for each step
_MINUTE: Final = 60
_HOUR: Final = 3600


@dataclass(slots=True)
class Meter:
    """Counts from the step at which this process began."""

    first_step: int
    steps: int
    began: float  # seconds, of a clock that only grows
    seconds: float = 0.0  # since the beginning
    speed: float = 0.0  # ids a second
    _ids: int = 0
    _loss: float = 0.0
    _shown: float = float("-inf")

    def after_step(self, step: int, loss: float, ids: int, now: float) -> str:
        """A line when it is time for one, or ''."""
        self.seconds = now - self.began
        self._ids += ids
        self.speed = self._ids / max(self.seconds, 1e-9)
        done = step - self.first_step
        self._loss = loss if done == 1 else _SMOOTHING * self._loss + (1 - _SMOOTHING) * loss
        if now - self._shown < _EVERY_SECONDS and step != self.steps:
            return ""
        self._shown = now
        left = self.seconds / done * (self.steps - step)
        percent = 100 * step / self.steps
        how_far = f"step {step}/{self.steps} ({percent:.0f} %)"
        return f"{how_far}  loss {self._loss:.4f}  {self.speed:,.0f} ids/s  {eta(left)} left"


def eta(seconds: float) -> str:
    """A duration as people say it: 42 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
