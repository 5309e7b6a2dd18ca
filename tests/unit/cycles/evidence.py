"""Evidence for tests that need some from a given place."""

from ghostd.core.evidence import Evidence, ExitClass, Outcome, Place, Run
from ghostd.core.reverification import Image


def executed(image: Image) -> Evidence:
    """One harmless execution in a cell of that image."""
    place = Place(image.backend, image.image_id, image.cell_version, "cell")
    run = Run("def one():\n    return 1\n", "one", calls=("",))
    return Evidence("executed", "exercise", run, Outcome(ExitClass.OK), place, "0" * 64, "1" * 64)
