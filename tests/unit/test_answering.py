"""When the student's answer is given: a table of grounds."""

import pytest

from ghostd.core.answering import Ground, Said, Source, decide, nearest

NEAR, FAR = Source("a" * 64, "d/near", "Near", 0.5), Source("b" * 64, "d/far", "Far", 0.49)
NEARER = Source("c" * 64, "d/nearer", "Nearer", 0.9)


@pytest.mark.parametrize(
    ("said", "threshold", "sources", "ground"),
    [
        (Said("42", -0.1), -0.2, [NEAR], Ground.ANSWERED),
        (Said("42", -0.2), -0.2, [NEAR], Ground.ANSWERED),
        (Said("42", -0.3), -0.2, [NEAR], Ground.UNSURE),
        (Said("42", None), -0.2, [NEAR], Ground.UNSURE),
        (Said("42", -0.1), None, [NEAR], Ground.UNCALIBRATED),
        (Said(" \n", -0.1), -0.2, [NEAR], Ground.EMPTY),
        (Said("42", -0.1), -0.2, [FAR], Ground.NOTHING_NEAR),
        (Said("42", -0.1), -0.2, [], Ground.NOTHING_NEAR),
    ],
)
def test_an_answer_needs_words_confidence_and_a_crystal(
    said: Said, threshold: float | None, sources: list[Source], ground: Ground
) -> None:
    assert decide(said, threshold, sources) is ground


def test_the_nearest_come_first_and_far_ones_not_at_all() -> None:
    assert nearest([NEAR, FAR, NEARER]) == (NEARER, NEAR)
