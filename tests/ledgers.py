"""A signed ledger for tests: real crystals, real leaves and a real key in a folder of the test's own; no database."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from ghostd.core.attestation import result_hash, run_key
from ghostd.core.crystal import Crystal, Stage, Verdict, VerdictKind
from ghostd.core.evidence import CallOutcome, Evidence, ExitClass, Outcome, Place, Run
from ghostd.core.identity import crystallise
from ghostd.core.leaf import crystal_entry
from ghostd.core.ledger import Tree, leaf_hash
from ghostd.core.signed import SignedHead, TreeHead
from ghostd.db.signing_key import create
from tests.crystals import crystal

PLACE = Place("docker", "sha256:1234", "abcd", "cell-1")


def verdict_of(one: Crystal) -> Verdict:
    """The verdict that a crystal of `tests.crystals` would have come from: one execution of its exercises."""
    run = Run(one.lesson.code, one.concept.entry, tuple(exercise.arguments for exercise in one.exercises))
    outcome = Outcome(ExitClass.OK, tuple(CallOutcome(exercise.value) for exercise in one.exercises))
    proof = Evidence("executed", "exercise", run, outcome, PLACE, run_key(run, PLACE), result_hash(outcome))
    return Verdict(
        VerdictKind.VERIFIED, one.grade, Stage.TESTED, None, (proof,), one.claims, one.exercises, one.quality
    )


def real(number: int) -> Crystal:
    """The crystal of that number, named by its content and its evidence as the daemon names it."""
    one = crystal(number)
    arguments = (one.concept, one.lesson, one.exam, verdict_of(one), one.teacher, one.teacher_licence, one.created_at)
    return crystallise(*arguments)


def reals(count: int) -> list[Crystal]:
    """The first `count`, by ascending id."""
    return sorted(map(real, range(count)), key=lambda one: one.id)


class TestLog:
    """Implements ports.SignedLog over the crystals that it is given, in the order of their numbers."""

    __test__ = False

    def __init__(self, folder: Path, crystals: Iterable[Crystal], now: int = 1_700_000_000_000) -> None:
        self.key = create(folder)
        entries = {one.id: leaf_hash(crystal_entry(one).encode()) for one in crystals}
        ordered = sorted(entries, reverse=True)  # a ledger is by time, a dataset by id
        self._indices = {name: index for index, name in enumerate(ordered)}
        self._tree = Tree([entries[name] for name in ordered])
        self._now = now

    async def leaf_indices(self, crystal_ids: Sequence[str]) -> dict[str, int]:
        return {name: self._indices[name] for name in crystal_ids if name in self._indices}

    async def signed_head(self) -> tuple[SignedHead, Tree]:
        head = TreeHead(self._tree.size, self._tree.root(), self._now, self.key.key_id)
        return SignedHead(head, self.key.public_key, self.key.sign(head.statement)), self._tree

    async def sign(self, statement: str) -> bytes:
        return self.key.sign(statement)


def with_teacher(one: Crystal, teacher: str) -> Crystal:
    """The same crystal, said to be of another teacher: neither its id nor its verification hash changes."""
    return dataclasses.replace(one, teacher=teacher)
