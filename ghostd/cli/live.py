"""The picture of the status document on a terminal; the live view of `start` and `status` draw the same one."""

import time
from types import TracebackType
from typing import Any, Self

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ghostd.cli.student_line import student_line
from ghostd.daemon.health import DaemonState
from ghostd.db.store import PostgresStore
from ghostd.settings import Settings

_BAR = 30  # characters


def render(document: dict[str, Any]) -> RenderableType:
    """The whole picture."""
    knowledge = document["knowledge"]
    head = _head(document["daemon"], document["data_dir"])
    if knowledge is None:
        return Group(head, Text("Nothing is stored yet; `ghostd start` begins."))
    return Group(
        head,
        _growth(knowledge),
        _rungs(knowledge),
        _calibration(knowledge["calibration"]),
        student_line(knowledge["training"]),
        Columns([_waterfall(knowledge), *_rejections(knowledge)], padding=(0, 3)),
        _domains(knowledge),
    )


def _head(daemon: dict[str, Any], data_dir: str) -> RenderableType:
    if not daemon["running"]:
        return Panel(Text(f"not running  ·  {data_dir}"), title="ghostd", title_align="left", border_style="dim")
    words = [daemon.get("phase", "starting"), f"pid {daemon.get('pid')}", _ago(daemon.get("started_at", time.time()))]
    words += [f"{name} {daemon[name]}" for name in ("teacher", "sandbox", "store") if daemon.get(name)]
    lines: list[RenderableType] = [Text("  ·  ".join(words))]
    if daemon.get("alarm"):
        lines.append(Text(daemon["alarm"], style="bold red"))
    return Panel(Group(*lines), title="ghostd", title_align="left", border_style="green")


def _growth(knowledge: dict[str, Any]) -> RenderableType:
    spend = knowledge["spend"]
    revoked = f", {knowledge['revoked']} revoked" if knowledge["revoked"] else ""
    return Text(
        f"{knowledge['crystals']} crystals{revoked}  (+{knowledge['crystals_last_5_minutes']} in 5 min, "
        f"+{knowledge['crystals_last_day']} in 24 h)   {knowledge['attempts']} attempts   "
        f"{knowledge['executions']} executions   {spend['calls']} calls, {spend['tokens']} tokens, "
        f"cost {spend['cost']:.4f}",
        style="bold",
    )


def _rungs(knowledge: dict[str, Any]) -> RenderableType:
    """One line: what the median lesson cost on each rung."""
    rungs = knowledge["rungs"]
    if not rungs:
        return Text("")
    words = [f"{one['rung']} {1000 * one['cpu_seconds']:.0f} ms" for one in rungs]
    lessons = max(one["lessons"] for one in rungs)
    return Text(f"CPU of a lesson (median of {lessons}): {', '.join(words)}")


def _calibration(figures: dict[str, Any]) -> RenderableType:
    """One line: how often the verifier was fooled; three red ones while crystallisation pauses for it."""
    if figures["paused"]:
        return Text(
            f"CRYSTALLISATION PAUSES {_ago(figures['paused_at']).removeprefix('up ')} h: {figures['paused']}.\n"
            "Lessons wait and nothing is lost. `ghostd calibration` shows by what it was fooled;\n"
            "a good `ghostd calibration run` ends the pause, and so does `ghostd calibration --resume`.",
            style="bold red",
        )
    if not figures["false_planted"]:
        return Text("calibration: none yet (`ghostd calibration run`)", style="dim")
    return Text(
        f"calibration: {figures['false_accepted']} of {figures['false_planted']} false items accepted "
        f"(at most {figures['false_accept_bound']:.2%}), "
        f"{figures['true_accepted']} of {figures['true_planted']} true ones"
    )


def _waterfall(knowledge: dict[str, Any]) -> Table:
    rows = knowledge["waterfall"]
    most = max((row["passed"] for row in rows), default=0) or 1
    table = Table("stage", "passed", "lost", "open", "", title="Yield", title_justify="left", box=None)
    for row in rows:
        bar = "█" * round(_BAR * row["passed"] / most)
        table.add_row(
            row["stage"], str(row["passed"]), str(row["lost"] or ""), str(row["open"] or ""), f"[cyan]{bar}[/]"
        )
    return table


def _rejections(knowledge: dict[str, Any]) -> list[Table]:
    """One table, none without a rejection."""
    if not knowledge["rejections"]:
        return []
    table = Table("reason", "count", title="Most frequent rejections", title_justify="left", box=None)
    for one in knowledge["rejections"][:8]:
        table.add_row(Text(one["reason"]), str(one["count"]))
    return [table]


def _domains(knowledge: dict[str, Any]) -> Table:
    table = Table("domain", "crystals", "concepts", "open", "yield", title="Domains", title_justify="left", box=None)
    for view in sorted(knowledge["domains"], key=lambda one: -one["crystals"]):
        share = f"{view['verified'] / view['attempts']:.0%}" if view["attempts"] else ""
        table.add_row(Text(view["domain"]), str(view["crystals"]), str(view["concepts"]), str(view["open"]), share)
    return table


def _ago(moment: float) -> str:
    seconds = int(max(0, time.time() - moment))
    return f"up {seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


class LiveView:
    """Redraws while the daemon works in the same process."""

    def __init__(self, store: PostgresStore, state: DaemonState, settings: Settings) -> None:
        self._store, self._state, self._settings = store, state, settings
        self._live = Live(auto_refresh=False, screen=False, transient=False)

    async def __aenter__(self) -> Self:
        self._live.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    async def refresh(self) -> None:
        """Draw the present state."""
        from ghostd.monitor.status import knowledge_status

        daemon = {
            "running": True,
            "pid": self._state.pid,
            "phase": self._state.phase,
            "started_at": self._state.started_at,
            "teacher": self._state.teacher,
            "sandbox": self._state.sandbox,
            "store": self._state.store,
            "alarm": self._state.alarm,
        }
        knowledge = await knowledge_status(self._store, self._settings.calibration.window_days)
        document = {"daemon": daemon, "data_dir": str(self._settings.data_dir), "knowledge": knowledge}
        self._live.update(render(document), refresh=True)
