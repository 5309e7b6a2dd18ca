"""How fast datasets are written, and in how much memory: `python bench/export.py [CRYSTALS]`.

Prints a table and, as its last line, the same figures as JSON. The time to make the crystals is measured apart and
taken off; every dataset is audited before its time is believed.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ghostd.export.audit import audit_dataset
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.export.writers import FORMATS
from tests.crystals import crystal, numbers_by_id, stream


def measure(count: int, formats: tuple[str, ...]) -> dict[str, object]:
    """One export in this process. Raises SystemExit when what was written is not whole."""
    numbers = numbers_by_id(count)
    started = time.perf_counter()
    for number in numbers:
        crystal(number)
    making = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        asyncio.run(write_dataset(stream(map(crystal, numbers[:100])), ExportRequest(out, formats=formats)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report = asyncio.run(write_dataset(stream(map(crystal, numbers)), ExportRequest(out, formats=formats)))
        started = time.perf_counter()
        audit = audit_dataset(out)
        auditing = time.perf_counter() - started
        unsigned = all(problem.endswith("nobody vouches for this dataset.") for problem in audit.checks[0].problems)
        rest = [
            check for check in audit.checks if check.name in {"files", "order", "rows", "manifest"} and check.problems
        ]
        if not unsigned or rest or audit.crystals != count:
            raise SystemExit(f"the dataset is not whole: {audit.problems}")
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    seconds = report.seconds - making
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "formats": "+".join(formats),
        "crystals": count,
        "rows": sum(sum(kinds.values()) for kinds in report.rows.values()),
        "seconds": round(seconds, 2),
        "crystals_per_second": round(count / seconds),
        "megabytes": round(size / 1e6, 1),
        "peak_mib": round(peak / 1024),
        "growth_mib": round((peak - before) / 1024, 1),
        "audit_seconds": round(auditing, 2),
    }


def main() -> None:
    """Measure every format alone and all together, each in a fresh process so that peaks are its own."""
    if len(sys.argv) > 2:
        print(json.dumps(measure(int(sys.argv[1]), tuple(sys.argv[2].split("+")))))
        return
    count = sys.argv[1] if len(sys.argv) > 1 else "10000"
    results = []
    for formats in (*FORMATS, "+".join(FORMATS)):
        command = [sys.executable, __file__, count, formats]
        results.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        if len(results) == 1:
            print(" ".join(f"{name:>20}" for name in results[0]))
        print(" ".join(f"{value!s:>20}" for value in results[-1].values()))
    print(json.dumps({"bench": "export", "results": results}))


if __name__ == "__main__":
    main()
