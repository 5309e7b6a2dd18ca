"""Claims and laws: which can be checked, which hold, and which of those could have failed; it decides no verdict.

Claims are the lesson's; laws are the properties of the exam.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ghostd.core.crystal import CheckedClaim
from ghostd.core.evidence import CheckOutcome, Limits, Outcome, Run
from ghostd.core.lesson import Claim
from ghostd.verify.hazards import ALLOWED_MODULES, Unreadable, find_hazard, parse
from ghostd.verify.properties import law_snippet
from ghostd.verify.runs import Plan, Subject, Trial
from ghostd.verify.strength import StrengthTest

_STUBS = ("none", "identity", "constant")  # what claims are tried on before mutants
_MUTANTS = 8


@dataclass(frozen=True)  # without slots: the snippets are written once and kept
class ClaimsTest:
    """The claims of one lesson and the laws of its exam, put to its code and then to damaged code."""

    subject: Subject
    limits: Limits  # of the lesson's own code
    damaged_limits: Limits
    inputs: tuple[str, ...] = ()  # argument lists on which the laws have to hold

    @property
    def statements(self) -> tuple[Claim, ...]:
        """The claims, then the laws."""
        return (*self.subject.lesson.claims, *(Claim(law, law) for law in self.subject.exam.properties))

    @cached_property
    def snippets(self) -> dict[int, str]:
        """By position among the statements, the snippet that asserts one, where it calls the entry function and
        nothing forbidden.
        """
        concept = self.subject.concept
        written = [_assertion(claim.check, concept.entry) for claim in self.subject.lesson.claims]
        written += [law_snippet(law, concept, self.inputs) for law in self.subject.exam.properties]
        return {position: snippet for position, snippet in enumerate(written) if snippet}

    def plans(self) -> list[Plan]:
        """One plan when any claim can be checked, none otherwise."""
        code = self.subject.lesson.code
        return [self._plan("claims", tuple(self.snippets), code, self.limits)] if self.snippets else []

    def hold(self, trial: Trial, outcomes: Sequence[Outcome]) -> tuple[CheckedClaim, ...]:
        """What the outcomes of `plans` say of each statement: verified until shown to be empty, refuted, or unverified.

        Only a check that came out False refutes. One that raised anything else may be badly written itself.
        """
        claims = [CheckedClaim(claim, "unverified") for claim in self.statements]
        for plan, outcome in zip(self.plans(), outcomes, strict=True):
            trial.record(plan, outcome, supports=all(check.passed for check in outcome.checks))
            for position, seen in zip(self.snippets, outcome.checks, strict=False):
                claims[position] = _checked(claims[position].claim, seen)
        return tuple(claims)

    async def falsify(
        self, trial: Trial, held: Sequence[CheckedClaim], damage: StrengthTest
    ) -> tuple[CheckedClaim, ...]:
        """The statements, with those demoted that no stub and no mutant falsifies: they could not have failed."""
        suspects = [position for position, claim in enumerate(held) if claim.status == "verified"]
        impostors = [(f"claims:stub:{stub.name}", stub.code) for stub in damage.stubs if stub.name in _STUBS]
        mutants = [(f"claims:mutant:{number}", one.code) for number, one in enumerate(damage.mutants[:_MUTANTS])]
        for batch, limits in ((impostors, self.limits), (mutants, self.damaged_limits)):
            if not suspects:
                break
            plans = [self._plan(purpose, suspects, code, limits) for purpose, code in batch]
            falsified: set[int] = set()
            for plan, outcome in zip(plans, await trial.execute(plans), strict=True):
                noticed = {
                    at for at, seen in zip(suspects, outcome.checks, strict=False) if seen.reached and not seen.passed
                }
                trial.record(plan, outcome, supports=bool(noticed))
                falsified |= noticed
            suspects = [position for position in suspects if position not in falsified]
        return tuple(_empty(claim) if position in suspects else claim for position, claim in enumerate(held))

    def _plan(self, purpose: str, positions: Sequence[int], code: str, limits: Limits) -> Plan:
        checks = tuple(self.snippets[position] for position in positions)
        return Plan("tested", purpose, Run(code, self.subject.concept.entry, checks=checks, limits=limits))


def _assertion(check: str, entry: str) -> str:
    """The snippet that asserts an expression, importing the allowed modules that it names.

    '' when the check is no expression over the entry function, or reaches for what it may not use.
    """
    try:
        tree = parse(check)
    except Unreadable:
        return ""
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr) or find_hazard(tree):
        return ""
    nodes = list(ast.walk(tree))
    named = {node.id for node in nodes if isinstance(node, ast.Name)}
    if entry not in named:  # it may also be handed on: sum(map(f, range(10))) == 45
        return ""
    imports = "".join(f"import {module}\n" for module in sorted(named & ALLOWED_MODULES))
    return f"{imports}assert (\n{check}\n)"


def _checked(claim: Claim, seen: CheckOutcome) -> CheckedClaim:
    if seen.passed:
        return CheckedClaim(claim, "verified", "true")
    if seen.reached and seen.message.startswith("AssertionError"):
        return CheckedClaim(claim, "refuted", "false")
    return CheckedClaim(claim, "unverified", seen.message)


def _empty(claim: CheckedClaim) -> CheckedClaim:
    return CheckedClaim(claim.claim, "unverified", "it holds for stubs and damaged code as well")
