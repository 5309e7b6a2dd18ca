"""How much a verified lesson is worth, as a number between 0 and 1; it decides nothing by itself."""

ENOUGH_CHECKS = 16  # asserts beyond which more of them no longer raise the quality
ENOUGH_MUTANTS = 12  # likewise for mutants


def quality(checks: int, mutants_killed: int, mutants_total: int, claims_verified: int, claims_total: int) -> float:
    """0.5 K/M + 0.1 min(1, M/12) + 0.2 min(1, C/16) + 0.2 V/N, rounded to four digits.

    K of M non-equivalent mutants were killed by an exam of C asserts; V of N claims were verified. A part
    without material (M = 0 or N = 0) counts nothing, so that silence never looks like proof. Mutation score
    leads because coverage and the number of checks say little about what a test would notice
    (MutGen, arXiv 2506.02954: full coverage at a mutation score of 4 %).
    """
    strength = mutants_killed / mutants_total if mutants_total else 0.0
    claims = claims_verified / claims_total if claims_total else 0.0
    breadth = min(1.0, mutants_total / ENOUGH_MUTANTS)
    checked = min(1.0, checks / ENOUGH_CHECKS)
    return round(0.5 * strength + 0.1 * breadth + 0.2 * checked + 0.2 * claims, 4)
