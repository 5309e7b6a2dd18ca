"""An evaluation as one PNG: right answers by suite and by domain, risk against coverage, memory; needs matplotlib."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GROUP = 0.8  # of the room between two ticks that the candidates' bars share


def draw(candidates: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes the picture. Raises ImportError where matplotlib is not installed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    remembering = "memory" in candidates[0]
    figure = Figure(figsize=(13, 10), layout="constrained")
    (suites, curves), (domains, memory) = figure.subplots(2, 2)
    _suites(suites, candidates)
    _curves(curves, candidates)
    _domains(domains, candidates)
    if remembering:
        _memory(memory, candidates)
    else:
        memory.remove()
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    FigureCanvasAgg(figure)
    figure.savefig(path)


def _suites(axes: "Axes", candidates: Sequence[dict[str, Any]]) -> None:
    names = list(candidates[0]["suites"])
    shares = [[each["suites"][name]["exact_match"] for name in names] for each in candidates]
    _bars(axes, candidates, names, shares)
    axes.set_title("Exact match, with Wilson's 95 % interval")


def _memory(axes: "Axes", candidates: Sequence[dict[str, Any]]) -> None:
    names = list(candidates[0]["memory"])
    _bars(axes, candidates, names, [[each["memory"][name]["exact_match"] for name in names] for each in candidates])
    axes.set_title("With and without memory: exact match by what was told")


def _bars(
    axes: "Axes",
    candidates: Sequence[dict[str, Any]],
    names: Sequence[str],
    shares: Sequence[Sequence[dict[str, Any]]],
) -> None:
    width = _GROUP / len(candidates)
    for number, (each, ours) in enumerate(zip(candidates, shares, strict=True)):
        values = [share["value"] or 0.0 for share in ours]
        below = [max(0.0, value - share["interval"][0]) for value, share in zip(values, ours, strict=True)]
        above = [max(0.0, share["interval"][1] - value) for value, share in zip(values, ours, strict=True)]
        places = [place + number * width for place in range(len(names))]
        axes.bar(places, values, width, yerr=[below, above], label=each["name"], error_kw={"linewidth": 0.8})
    axes.set_xticks([place + (_GROUP - width) / 2 for place in range(len(names))], names)
    axes.set_ylim(0, 1)


def _curves(axes: "Axes", candidates: Sequence[dict[str, Any]]) -> None:
    for number, each in enumerate(candidates):
        for suite, style in (("lineages", "-"), ("seen", ":")):
            confidence = each["suites"].get(suite, {}).get("confidence")
            if confidence:
                coverage, risk = zip(*confidence["curve"], strict=True)
                axes.plot(coverage, risk, style, color=f"C{number}", label=f"{each['name']}, {suite}")
    axes.set(title="Risk against coverage", xlabel="share answered", ylabel="share wrong", xlim=(0, 1), ylim=(0, 1))


def _domains(axes: "Axes", candidates: Sequence[dict[str, Any]]) -> None:
    """Over all suites together."""
    names = sorted({name for suite in candidates[0]["suites"].values() for name in suite["by_domain"]})
    width = _GROUP / len(candidates)
    for number, each in enumerate(candidates):
        right, asked = Counter[str](), Counter[str]()
        for suite in each["suites"].values():
            for name, share in suite["by_domain"].items():
                right[name] += share["count"]
                asked[name] += share["of"]
        places = [place + number * width for place in range(len(names))]
        axes.barh(places, [right[name] / max(1, asked[name]) for name in names], width, label=each["name"])
    axes.set_yticks([place + (_GROUP - width) / 2 for place in range(len(names))], names)
    axes.invert_yaxis()
    axes.set(title="Exact match by domain, all suites", xlim=(0, 1))
