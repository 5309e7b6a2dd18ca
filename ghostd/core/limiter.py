"""The adaptive limit on calls to one endpoint: a pure state machine over times passed in; it never waits itself.

Two limits stand side by side. The *window* bounds calls in flight and obeys AIMD: one multiplicative decrease for a
burst of 429s, additive increase on success. The *pace* bounds calls per second. It is unknown until the endpoint has
said 429 in two separate bursts: at both moments the endpoint's allowance was empty, so the calls it admitted between
them, divided by the time between them, is the rate at which it refills, or less where it stood full for a while. From
then on calls are paced just under that rate, and a cubic probe (after CUBIC, RFC 9438) looks for a higher one.

What the endpoint refills while everybody waits for Retry-After is spent after the wait, so a wait costs no throughput.
"""

import math
from dataclasses import dataclass

_WINDOW_DECREASE = 0.75
_PACE_DECREASE = 0.7  # when too few calls were admitted to measure anything
_PACE_MARGIN = 0.97  # of the measured rate, right after a measurement
_PROBE_SECONDS = 25.0  # paced time after which the probe has doubled the pace
_DOUBTFUL_PROBE_SECONDS = 8.0  # the same after one that nothing confirms or that may be far too low
_CONFIRMED_WITHIN = 0.15  # of the measurement before
_DOUBTFUL_RATIO = 3.0  # of the measurement's upper bound to itself
_PROBE_DECREASE = 0.85  # of the pace that a long probe had reached when it was refused (CUBIC's beta is 0.7)
_LONG_PROBE_SECONDS = 5.0
_MEASURABLE = 3  # admitted calls between two bursts that make a measurement
_FIRST_PAUSE_SECONDS = 0.5  # after a 429 without Retry-After; doubles while nothing gets through
_LONGEST_PAUSE_SECONDS = 30.0  # of the pauses chosen here; Retry-After is honoured whatever it says
_SMALLEST_BURST_SHARE = 0.05
_SLOWEST_PACE = 1 / 60  # calls per second


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call; give it back with exactly one of `succeeded`, `refused` and `dropped`."""

    sequence: int  # counts permits; what was admitted between two moments is a difference
    at: float  # seconds, on the caller's monotonic clock


class Limiter:
    """Window and pace for one endpoint and model. Every `now` is seconds on one monotonic clock."""

    def __init__(self, ceiling: int) -> None:
        self.ceiling = max(1, ceiling)
        self.window = float(self.ceiling)  # trusted as configured until the endpoint objects
        self.in_flight = 0
        self.pace: float | None = None  # calls per second; None while unknown
        self.paused_until = -math.inf
        self.refusals = 0  # 429s in all
        self.bursts = 0  # bursts of 429s, each answered by one decrease
        self._sequence = 0
        self._heard_at = -math.inf  # when the newest burst was answered; calls sent before belong to it
        self._empty: Permit | None = None  # the call that found the allowance empty: start of the measurement
        self._refused_since = 0  # refused calls with a later sequence than `_empty`
        self._idle_seconds = 0.0  # since then, in which nobody wanted to call
        self._wanted = False  # whether somebody was turned away since the newest permit
        self._ended_at = 0.0  # when a call last ended
        self._barren = 0  # bursts in a row with nothing admitted between them
        self._level = 0.0  # calls that may go at once
        self._level_at = 0.0
        self._saved_seconds = 0.0  # how much refill may be saved up: the length of the newest pause
        self._burst_share = 1.0  # of that; cut when spending it was refused
        self._probed_seconds = 0.0  # paced time since the newest measurement
        self._probe_scale = _PROBE_SECONDS

    def acquire(self, now: float) -> Permit | float:
        """A permit, or the seconds until it pays to ask again (infinity: not before a call ends)."""
        wait = self._wait(now)
        if wait > 0:
            self._wanted = True
            return wait
        if self.pace is not None:
            self._level -= 1.0
        if self.in_flight == 0 and not self._wanted:
            self._idle_seconds += max(0.0, now - max(self._ended_at, self.paused_until))
        self._wanted = False
        self.in_flight += 1
        self._sequence += 1
        return Permit(self._sequence, now)

    def succeeded(self, permit: Permit, now: float) -> None:
        """The endpoint took the call, whatever it answered."""
        self._end(now)
        self._barren = 0
        if permit.at >= self._heard_at and self.window < self.ceiling:
            self.window = min(self.ceiling, self.window + 1.0 / self.window)

    def dropped(self, permit: Permit, now: float) -> None:
        """The call ended without telling anything about the limit: cancelled, or no response came."""
        del permit
        self._end(now)

    def refused(self, permit: Permit, now: float, retry_after: float | None) -> None:
        """The endpoint said 429. `retry_after` is in seconds; None when it did not say."""
        self._end(now)
        self.refusals += 1
        self._refused_since += 1
        if retry_after is not None:
            self.paused_until = max(self.paused_until, now + retry_after)
        if permit.at < self._heard_at:
            return  # sent before the decrease: the same burst
        self.bursts += 1
        self._barren += 1
        pause = retry_after
        if pause is None:
            pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (self._barren - 1))
            self.paused_until = max(self.paused_until, now + pause)
        self._measure(permit, now)
        self.window = max(1.0, self.window * _WINDOW_DECREASE)
        self._saved_seconds = pause
        self._level, self._level_at = 0.0, permit.at
        self._heard_at = now
        self._empty, self._refused_since = permit, 0

    def _end(self, now: float) -> None:
        self.in_flight -= 1
        self._ended_at = now

    def _wait(self, now: float) -> float:
        """Seconds until a call may go; 0 when one may now."""
        if self.in_flight >= int(self.window):
            return math.inf
        if now < self.paused_until:
            return self.paused_until - now
        if self.pace is not None:
            self._refill(now)
            if self._level < 1.0:
                return (1.0 - self._level) / self._current_pace()
        return 0.0

    def _measure(self, permit: Permit, now: float) -> None:
        """Set the pace from what was admitted since the allowance was last found empty."""
        self._refill(now)
        spending_saved = self.pace is not None and self._level >= 1.0
        self._burst_share = self._burst_share / 4.0 if spending_saved else min(1.0, self._burst_share + 0.1)
        if self._empty is not None:
            admitted = permit.sequence - self._empty.sequence - self._refused_since
            # Time in which nobody wanted to call says nothing about the rate.
            elapsed = max(permit.at - self._empty.at - self._idle_seconds, 1e-6)
            before, measured = self.pace, max(_SLOWEST_PACE, admitted / elapsed)
            if self.pace is None:
                self.pace = measured if admitted > 0 else None
            elif spending_saved and self._burst_share > _SMALLEST_BURST_SHARE:
                pass  # the saved-up calls came too fast for the endpoint: blame the burst before the pace
            elif admitted < _MEASURABLE:
                self.pace = max(_SLOWEST_PACE, self._current_pace() * _PACE_DECREASE)
            elif self._probed_seconds > _LONG_PROBE_SECONDS:
                # A long climb from a pace that was too low: the endpoint stood full meanwhile, so this measures low.
                self.pace = max(measured, self._current_pace() * _PROBE_DECREASE)
            else:
                self.pace = measured
            # The allowance may have been full again early in the pause: the rate lies between these bounds.
            sending = max(elapsed - self._saved_seconds, 1e-6)
            confirmed = before is not None and abs(measured / before - 1.0) < _CONFIRMED_WITHIN
            doubtful = not confirmed or elapsed / sending > _DOUBTFUL_RATIO
            self._probe_scale = _DOUBTFUL_PROBE_SECONDS if doubtful else _PROBE_SECONDS
        self._probed_seconds = 0.0
        self._idle_seconds = 0.0

    def _current_pace(self) -> float:
        """Calls per second now: the measured rate, less the margin, plus the probe."""
        if self.pace is None:
            return math.inf
        return self.pace * (_PACE_MARGIN + (self._probed_seconds / self._probe_scale) ** 3)

    def _refill(self, now: float) -> None:
        """Let time pass on the paced allowance."""
        if self.pace is None:
            return
        elapsed = max(0.0, now - self._level_at)
        # Time counts as a probe only while callers are held back by the pace: an idle endpoint proves nothing.
        if self._level < 1.0 and now >= self.paused_until:
            self._probed_seconds += min(elapsed, 1.0)
        capacity = max(1.0, self._current_pace() * self._saved_seconds * self._burst_share)
        self._level = min(max(capacity, 1.0), self._level + elapsed * self._current_pace())
        self._level_at = now
