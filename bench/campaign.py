"""The main job under load: N crystals with faults injected, as a rate, against one `docker run` per execution.

Gate first: the process ends by itself, the waterfall adds up against the attempts table, and no planted fault that
execution can catch became a crystal. Then one table per question and one JSON line.

    python bench/campaign.py [--crystals 500] [--fault-rate 0.2] [--backend docker]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from ghostd.app import opened_store  # noqa: E402 - the benchmark runs from a checkout
from ghostd.settings import load  # noqa: E402
from ghostd.textbook.config import TextbookConfig  # noqa: E402
from ghostd.textbook.faults import FaultKind, is_bad  # noqa: E402

IMAGE = "ghostd-sandbox"
SNIPPET = "print(sum(range(10)))"
_ATTEMPTS = text(
    """SELECT concepts.title, attempts.repair_round, attempts.verdict, attempts.stage, attempts.reason
    FROM attempts JOIN concepts ON concepts.id = attempts.concept_id"""
)
_COUNTS = text(
    """SELECT (SELECT count(*) FROM evidence), (SELECT count(*) FROM crystals),
    (SELECT count(*) FROM evidence JOIN attempts ON attempts.id = evidence.attempt_id
     WHERE attempts.stage = 'stored')"""
)


def run_campaign(arguments: argparse.Namespace, data_dir: Path) -> float:
    """Seconds from the first job to the last crystal. Exits when the daemon fails."""
    environment = os.environ | {
        "GHOSTD_TEXTBOOK__ALWAYS": "true",
        "GHOSTD_TEXTBOOK__FAULT_RATE": str(arguments.fault_rate),
        "GHOSTD_SANDBOX__BACKEND": arguments.backend,
    }
    command = [sys.executable, "-m", "ghostd.cli.main", "--data-dir", str(data_dir), "start", "--plain"]
    command += ["--until-crystals", str(arguments.crystals)]
    log = data_dir.parent / "campaign.log"
    working = 0.0
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, cwd=ROOT)
        while process.poll() is None:
            if not working and "daemon.working" in log.read_text(encoding="utf-8"):
                working = time.monotonic()
            time.sleep(0.1)
    ended = time.monotonic()
    if process.returncode != 0 or not working:
        sys.exit(f"the daemon ended with {process.returncode}:\n{log.read_text(encoding='utf-8')[-4000:]}")
    return ended - working


async def read_back(arguments: argparse.Namespace, data_dir: Path) -> dict[str, Any]:
    """What the database says about the run."""
    plan = TextbookConfig(fault_rate=arguments.fault_rate).plan()
    planted: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    async with opened_store(load(data_dir=data_dir)) as store:
        async with store.engine.transaction() as connection:
            attempts = (await connection.execute(_ATTEMPTS)).all()
            executions, crystals, of_crystals = (await connection.execute(_COUNTS)).one()
        waterfall = await store.waterfall()
    for title, repair_round, verdict, stage, reason in attempts:
        kind = plan.fault_for(title, repair_round) or plan.exam_fault_for(title)
        if kind is None or not verdict:
            continue
        planted[kind] += 1
        accepted[kind] += stage == "stored"
        if reason:
            reasons.setdefault(kind, Counter())[reason] += 1
    return {
        "attempts": len(attempts), "executions": executions, "crystals": crystals,
        "executions_of_crystals": of_crystals, "planted": dict(planted), "accepted": dict(accepted),
        "waterfall": {stage.value: count for stage, count in waterfall.passed.items()},
        "reasons": {kind: counts.most_common(2) for kind, counts in reasons.items()},
    }  # fmt: skip


def check(found: dict[str, Any]) -> list[str]:
    """What is wrong with the run; nothing, if its figures may be printed."""
    wrong = []
    if found["waterfall"]["asked"] != found["attempts"]:
        wrong.append(f"asked {found['waterfall']['asked']} != {found['attempts']} attempts")
    if found["waterfall"]["stored"] != found["crystals"]:
        wrong.append(f"stored {found['waterfall']['stored']} != {found['crystals']} crystals")
    bad = {kind: count for kind, count in found["accepted"].items() if count and is_bad(FaultKind(kind))}
    if bad:
        wrong.append(f"planted faults were accepted: {bad}")
    return wrong


def docker_run_rate(runs: int, in_flight: int) -> float:
    """`docker run` per second with the same hardening, the best this machine does that way."""
    command = ["docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--user", "65532",
               "--security-opt", "no-new-privileges", "--memory", "256m", "--memory-swap", "256m",
               "--pids-limit", "48", "--entrypoint", "python3", IMAGE, "-I", "-c", SNIPPET]  # fmt: skip
    began = time.monotonic()
    pending: list[subprocess.Popen[bytes]] = []
    for _ in range(runs):
        pending.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        if len(pending) == in_flight:
            _finish(pending.pop(0))
    for process in pending:
        _finish(process)
    return runs / (time.monotonic() - began)


def _finish(process: subprocess.Popen[bytes]) -> None:
    output, _ = process.communicate(timeout=60)
    if process.returncode != 0 or output.strip() != b"45":
        sys.exit(f"docker run failed: {process.returncode} {output!r}")


def main() -> None:
    """Run, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crystals", type=int, default=500)
    parser.add_argument("--fault-rate", type=float, default=0.2)
    parser.add_argument("--backend", default="docker", choices=["docker", "bubblewrap", "trusted"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ghostd-campaign-") as folder:
        data_dir = Path(folder) / "data"
        seconds = run_campaign(arguments, data_dir)
        found = asyncio.run(read_back(arguments, data_dir))
    wrong = check(found)
    if wrong:
        sys.exit("GATE FAILED: " + "; ".join(wrong))
    console = Console()
    falls = Table("stage", "attempts", title="Yield waterfall", title_justify="left")
    for stage, count in found["waterfall"].items():
        falls.add_row(stage, str(count))
    console.print(falls)
    faults = Table(
        "fault", "planted", "accepted", "false accept", "usual reasons", title="Planted faults", title_justify="left"
    )
    for kind in sorted(found["planted"]):
        reasons = ", ".join(f"{reason} ({count})" for reason, count in found["reasons"].get(kind, []))
        counts = str(found["accepted"].get(kind, 0)) if is_bad(FaultKind(kind)) else "-"
        faults.add_row(kind, str(found["planted"][kind]), str(found["accepted"].get(kind, 0)), counts, reasons)
    console.print(faults)
    result: dict[str, Any] = {
        "crystals": found["crystals"], "attempts": found["attempts"], "seconds": round(seconds, 1),
        "crystals_per_second": round(found["crystals"] / seconds, 2),
        "executions_per_crystal": round(found["executions_of_crystals"] / found["crystals"], 1),
        "executions_per_second": round(found["executions"] / seconds, 1),
    }  # fmt: skip
    if arguments.backend == "docker":
        alone, two = docker_run_rate(12, 1), docker_run_rate(24, 2)
        result |= {"docker_run_per_second": round(alone, 2), "docker_run_per_second_2_in_flight": round(two, 2)}
        result["ratio_to_docker_run"] = round(result["executions_per_second"] / alone, 1)
        result["ratio_to_docker_run_2_in_flight"] = round(result["executions_per_second"] / two, 1)
    rates = Table("figure", "value", title="Rate", title_justify="left")
    for name, value in result.items():
        rates.add_row(name, str(value))
    console.print(rates)
    print(json.dumps({"bench": "campaign", **result, "planted": found["planted"], "accepted": found["accepted"]}))


if __name__ == "__main__":
    main()
