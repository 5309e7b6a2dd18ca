"""How fast it is found which of many crystals are due, and revoked what is made of one:
`python bench/reverification.py [CRYSTALS]`.

Prints a table and, as its last line, the same figures as JSON. The rows are written by SQL, and the crystals are empty,
for nothing here reads them; one in 200 was revoked before. Before a time is believed, the choice is compared with the
one made from every crystal, and what a revocation withdrew is counted.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import text

from ghostd.core.reverification import Image, Policy, rank
from ghostd.db.config import StoreConfig
from ghostd.db.store import PostgresStore, open_store

DAY = 86_400.0
HERE, NEW = Image("docker", "sha256:1", "a"), Image("docker", "sha256:2", "a")
BATCH, POOL = 20, 80  # as the cycle asks for with its default settings
REPEATS = 9
FAMILY = 1000  # crystals made of one, in a chain of groups of ten

SETUP = """
INSERT INTO domains (slug, title, description, reason)
    SELECT 'domain-' || n, '', '', '' FROM generate_series(0, 9) AS n;
INSERT INTO places (backend, image_id, cell_version) VALUES ('docker', 'sha256:1', 'a'), ('docker', 'sha256:0', 'a');
INSERT INTO concepts (slug, domain, name, title, statement, signature, parent, prerequisites, lineage, state, reason)
    SELECT 'domain-' || n % 10 || '/' || n, 'domain-' || n % 10, n, 'c' || n, '', '', '', '[]', 'lineage-' || n / 200,
           'crystal', '' FROM generate_series(1, :count) AS n;
INSERT INTO attempts (concept_id, domain, teacher, stage, verdict, mutants_total, owner, answered_at, finished_at)
    SELECT id, domain, 'teacher-' || id % 2, 'stored', 'verified', 4 + id % 20, '', now(), now() FROM concepts;
INSERT INTO crystals (id, verification_hash, concept_id, attempt_id, domain, lineage, teacher, grade, quality, content,
                      created_at)
    SELECT encode(sha256(attempts.id::text::bytea), 'hex'), '', concepts.id, attempts.id, concepts.domain, lineage,
           teacher, 3, 0.5 + 0.5 * random(), '{}', now()
    FROM concepts JOIN attempts ON attempts.concept_id = concepts.id;
INSERT INTO standings (crystal_id, checked_at, verdict, place_id, weak)
    SELECT crystals.id, now() - random() * interval '8 days',
           CASE WHEN random() < 0.0001 THEN 'refuted' ELSE 'verified' END,
           (SELECT min(id) FROM places) + (random() < 0.01)::int, quality < 0.6 OR mutants_total < 8
    FROM crystals JOIN attempts ON attempts.id = attempt_id;
INSERT INTO revocations (crystal_id, reason, revoked_by, created_at)
    SELECT id, '', '', now() - random() * interval '90 days' FROM crystals ORDER BY id LIMIT :count / 200;
DELETE FROM standings USING revocations WHERE standings.crystal_id = revocations.crystal_id;
INSERT INTO lineage (child_id, parent_id, kind)
    SELECT child.id, parent.id, 'dream'
    FROM (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM crystals ORDER BY id DESC LIMIT :family) AS child
    JOIN (SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM crystals ORDER BY id DESC LIMIT :family) AS parent
    ON parent.n = greatest(1, child.n - 10) AND child.n > 1;
ANALYZE;
"""


async def fill(store: PostgresStore, crystals: int) -> None:
    """The rows of so many crystals."""
    for statement in SETUP.split(";\n"):
        if statement.strip():
            async with store.engine.transaction() as connection:
                await connection.execute(text("SET LOCAL statement_timeout = 0"))
                values = {"count": crystals, "family": FAMILY}
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                await connection.execute(text(statement.replace("::", "\\:\\:")), used)


async def choose(store: PostgresStore, policy: Policy, crystals: int) -> tuple[float, int]:
    """Median milliseconds of one choice, and how many crystals the query brought to be ranked."""
    every = rank(await store.standings(policy, crystals), policy, crystals)
    times, seen = [], 0
    for _ in range(REPEATS):
        began = time.perf_counter()
        standings = await store.standings(policy, POOL)
        due = rank(standings, policy, BATCH)
        times.append(time.perf_counter() - began)
        seen = len(standings)
        scores = {one.crystal_id: one.reasons for one in every}
        if len(due) != min(BATCH, len(every)) or any(scores[one.crystal_id] != one.reasons for one in due):
            raise SystemExit("the choice from the indexes is not one from all crystals")
        if due and len(due[0].reasons) < len(every[0].reasons) - 1:
            raise SystemExit(f"{every[0]} is far more urgent than {due[0]}")
    return 1000 * statistics.median(times), seen


async def measure(crystals: int) -> dict[str, float | int]:
    """All figures, on an embedded server of one's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with await open_store(StoreConfig(statement_timeout_seconds=600), Path(folder)) as store:
            await fill(store, crystals)
            usual, seen = await choose(store, Policy(7 * DAY, 2 * DAY, HERE), crystals)
            moved, _ = await choose(store, Policy(7 * DAY, 2 * DAY, NEW), crystals)
            async with store.engine.transaction() as connection:
                root = await connection.scalar(text("SELECT max(id) FROM crystals"))
            began = time.perf_counter()
            revoked = await store.revoke(str(root), "for the benchmark", "bench")
            seconds = time.perf_counter() - began
            if len(revoked) != FAMILY or await store.revoke(str(root), "again"):
                raise SystemExit(f"{len(revoked)} crystals were revoked instead of {FAMILY}")
    return {
        "crystals": crystals,
        "choose_ms": round(usual, 1),
        "choose_after_image_change_ms": round(moved, 1),
        "ranked": seen,
        "family": FAMILY,
        "revoke_family_seconds": round(seconds, 2),
    }


def main() -> None:
    """Measure and print."""
    crystals = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    figures = asyncio.run(measure(crystals))
    print(f"{'of so many crystals':>40}  {figures['crystals']}")
    print(f"{'the most urgent are chosen in':>40}  {figures['choose_ms']} ms ({figures['ranked']} ranked)")
    print(f"{'the same after a change of the image':>40}  {figures['choose_after_image_change_ms']} ms")
    print(f"{f'one with {FAMILY - 1} descendants is revoked in':>40}  {figures['revoke_family_seconds']} s")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
