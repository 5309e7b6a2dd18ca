"""What a screening against benchmarks finds, and what it takes too much: `python bench/decontamination.py [CANARIES]`.

Canaries (see tests/canaries.py) are planted into real crystals, which are exported with `decontaminate`. Recall is the
share of planted crystals that are missing from the dataset, precision is told by the crystals without a canary that
are missing too. Prints a table and, as its last line, the same figures as JSON. Fails below the bounds.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ghostd.core.crystal import Crystal
from ghostd.export.audit import audit_dataset
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.export.decontaminate import REPORT
from tests.canaries import Items, by_id, crystal_of, entries, items, with_code, with_prose, write_benchmark
from tests.crystals import stream

LEAST_RECALL = {"verbatim": 0.99, "short": 0.95, "code": 0.95}
MOST_CLEAN_DROPPED = 0.01  # share
DECOYS = 3  # items in the benchmark for each one that is planted
CLEAN = 10  # of each family whose domain is not in the benchmark
SIBLINGS = 10  # of each family that is


def planted(hosts: list[Crystal], count: int, chosen: Items) -> dict[str, list[Crystal]]:
    """Crystals with canaries, by the kind of canary."""
    draw = random.Random(11)
    fresh = iter(hosts)
    texts = {kind: draw.sample(getattr(chosen, kind), count) for kind in ("verbatim", "short")}
    found = {
        kind: [with_prose(next(fresh), text, where) for where, text in enumerate(some)] for kind, some in texts.items()
    }
    found["code"] = [with_code(next(fresh), source) for source in draw.sample(chosen.code, count)]
    return found


async def measure(count: int, folder: Path) -> dict[str, dict[str, object]]:
    """Plant, export, and look what is there. Raises SystemExit when the dataset is not whole."""
    draw = random.Random(12)
    crystals = [crystal_of(*one) for one in entries(draw, 3 * count // 60 + CLEAN, benchmark=False)]
    draw.shuffle(crystals)
    chosen = items(draw, count * DECOYS)
    write_benchmark(folder / "benchmark", chosen)
    groups = planted(crystals[: 3 * count], count, chosen)
    groups["clean"] = crystals[3 * count :]
    listed = {*chosen.verbatim, *chosen.code}
    groups["siblings of benchmark items"] = [
        crystal_of(concept, entry)
        for concept, entry in entries(draw, SIBLINGS, benchmark=True)
        if listed.isdisjoint({entry.code, entry.statement, *entry.explanations})
    ]
    everything = [one for group in groups.values() for one in group]
    started = time.perf_counter()
    out = folder / "out"
    request = ExportRequest(out, decontaminate=folder / "benchmark")
    report = await write_dataset(stream(by_id(everything)), request)
    seconds = time.perf_counter() - started
    unsigned = {"signature", "ledger head", "proofs"}  # no log vouches for crystals without a store
    problems = [one.problems for one in audit_dataset(out).checks if one.name not in unsigned and one.problems]
    if problems:
        raise SystemExit(f"the dataset is not whole: {problems}")
    document = json.loads((out / REPORT).read_text())
    kept = {json.loads(line)["id"] for line in (out / "crystals.jsonl").read_text().splitlines()}
    rules = {one["crystal"]: sorted({match["rule"] for match in one["matches"]}) for one in document["crystals"]}
    results: dict[str, dict[str, object]] = {}
    for kind, group in groups.items():
        dropped = [one.id for one in group if one.id not in kept]
        by_rule = {rule: sum(rule in rules[one] for one in dropped) for rule in document["by_rule"]}
        results[kind] = {"crystals": len(group), "dropped": len(dropped), "share": len(dropped) / len(group), **by_rule}
    rate = round((report.crystals + report.contaminated) / seconds)
    results["benchmark"] = {"passages": document["benchmark"]["passages"], "crystals_per_second": rate}
    return results


def main() -> None:
    """Measure, print, and hold the figures against the bounds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        results = asyncio.run(measure(count, Path(folder)))
    columns = list(results["clean"])
    print(f"{'crystals with':>30} " + " ".join(f"{name:>12}" for name in columns))
    for kind, figures in results.items():
        if kind != "benchmark":
            shown = (round(value, 4) if isinstance(value, float) else value for value in figures.values())
            print(f"{kind:>30} " + " ".join(f"{value!s:>12}" for value in shown))
    print(json.dumps({"bench": "decontamination", "results": results}))
    for kind, least in LEAST_RECALL.items():
        if results[kind]["share"] < least:
            raise SystemExit(f"recall of {kind} canaries is {results[kind]['share']:.3f}, less than {least}")
    if results["clean"]["share"] > MOST_CLEAN_DROPPED:
        raise SystemExit(f"{results['clean']['dropped']} clean crystals were dropped")


if __name__ == "__main__":
    main()
