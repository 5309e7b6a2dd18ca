"""A crystal as one document of plain text, for pre-training; it holds what was verified and nothing else."""

from ghostd.core.canonical import display
from ghostd.core.crystal import Crystal
from ghostd.export.rows import Label, believable, call


def document(crystal: Crystal) -> str:
    """Title, statement, explanation, code, results as an interpreter shows them, and the verified claims."""
    explanation = believable(crystal.lesson.explanation, crystal.claims)
    results = "\n".join(f">>> {call(crystal, one)}\n{display(one.value)}" for one in crystal.exercises)
    facts = [f"- {one.claim.text}" for one in crystal.claims if one.status == Label.VERIFIED]
    parts = [
        crystal.concept.title,
        crystal.concept.statement,
        explanation,
        crystal.lesson.code.strip(),
        results,
        "\n".join(["Checked by execution:", *facts]) if facts else "",
    ]
    return "\n\n".join(part for part in parts if part).replace("\f", " ")
