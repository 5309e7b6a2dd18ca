"""How long the offline audit of a signed dataset takes: `python bench/audit.py [CRYSTALS]`.

Prints a table and, as its last line, the same figures as JSON. The dataset is made of real crystals with a ledger and
a key of its own; the audit must pass, and must fail once a row is changed, before its time is believed.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ghostd.export.audit import audit_dataset
from ghostd.export.dataset import ExportRequest, write_dataset
from tests.crystals import stream
from tests.ledgers import TestLog, reals


def main() -> None:
    """Export, audit, tamper, audit again."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        crystals = reals(count)
        log = TestLog(Path(folder) / "key", crystals)
        report = asyncio.run(write_dataset(stream(crystals), ExportRequest(out), log))
        crystals.clear()
        started = time.perf_counter()
        audit = audit_dataset(out, trusted=log.key.public_key)
        seconds = time.perf_counter() - started
        if not audit.ok or audit.crystals != count:
            raise SystemExit(f"the dataset does not pass: {audit.problems}")
        rows = out / "jsonl/train.jsonl"
        rows.write_bytes(rows.read_bytes().replace(b'"kind": "compute"', b'"kind": "explain"', 1))
        if audit_dataset(out).ok:
            raise SystemExit("a changed row was not found")
        result = {
            "crystals": count,
            "rows": sum(sum(kinds.values()) for kinds in report.rows.values()),
            "megabytes": round(sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6, 1),
            "export_seconds": round(report.seconds, 2),
            "audit_seconds": round(seconds, 2),
            "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    print(" ".join(f"{name:>16}" for name in result))
    print(" ".join(f"{value!s:>16}" for value in result.values()))
    print(json.dumps({"bench": "audit", "results": [result]}))


if __name__ == "__main__":
    main()
