"""Two pictures of an evaluation as one PNG: right answers by suite, and risk against coverage; needs matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def draw(candidates: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes the picture. Raises ImportError where matplotlib is not installed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    suites = list(candidates[0]["suites"])
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    bars, curves = figure.subplots(1, 2)
    width = 0.8 / len(candidates)
    for number, each in enumerate(candidates):
        shares = [each["suites"][suite]["exact_match"] for suite in suites]
        values = [share["value"] or 0.0 for share in shares]
        below = [max(0.0, value - share["interval"][0]) for value, share in zip(values, shares, strict=True)]
        above = [max(0.0, share["interval"][1] - value) for value, share in zip(values, shares, strict=True)]
        places = [place + number * width for place in range(len(suites))]
        bars.bar(places, values, width, yerr=[below, above], label=each["name"], error_kw={"linewidth": 0.8})
        for suite, style in (("lineages", "-"), ("seen", ":")):
            confidence = each["suites"].get(suite, {}).get("confidence")
            if confidence:
                coverage, risk = zip(*confidence["curve"], strict=True)
                curves.plot(coverage, risk, style, color=f"C{number}", label=f"{each['name']}, {suite}")
    bars.set_xticks([place + 0.4 - width / 2 for place in range(len(suites))], suites)
    bars.set(title="Exact match", ylim=(0, 1))
    curves.set(title="Risk against coverage", xlabel="share answered", ylabel="share wrong", xlim=(0, 1), ylim=(0, 1))
    for axes in (bars, curves):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    FigureCanvasAgg(figure)
    figure.savefig(path)
