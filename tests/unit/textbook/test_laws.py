"""The laws that families declare hold for right code on generated arguments too, and wrong code can break them."""

import pytest

from ghostd.core.concept import Concept
from ghostd.textbook.catalogue.family import Entry, Family, compiled
from ghostd.textbook.writing import function_name, write_exam
from ghostd.verify.exam import read_exam
from ghostd.verify.inputs import generate_inputs
from ghostd.verify.properties import law_snippet

from .checks import spread
from .conftest import all_families

WITH_LAWS = [family for family in all_families() if family.build(*family.parameters[0]).properties]


def breaks(entry: Entry, law: str, code: str) -> bool:
    """Whether the law, as the ladder asks it, fails for the code."""
    concept = Concept("a-domain", entry.title, entry.statement, entry.signature)
    name = function_name(entry)
    questions = read_exam(write_exam(entry), name).questions
    snippet = law_snippet(law, concept, generate_inputs(questions, 40, code.encode()))
    assert snippet, f"{entry.title}: {law} cannot be asked"
    try:
        exec(compile(snippet, "<law>", "exec"), {name: compiled(code, name)})
    except AssertionError:
        return True
    return False


def nonsense(name: str) -> list[str]:
    """Functions of that name whose values, of several types, follow from the arguments by no law."""
    noise = "int.from_bytes(repr(arguments).encode(), 'big') % 10007"
    values = (noise, f"[{noise}]", f"chr(97 + ({noise}) % 26) * 9", f"float({noise})")
    return [f"def {name}(*arguments):\n    return {value}\n" for value in values]


def test_about_ten_families_declare_laws():
    assert len(WITH_LAWS) >= 10


@pytest.mark.parametrize("declaring", WITH_LAWS, ids=lambda one: one.slug)
def test_the_laws_of_a_family_hold_for_right_code_and_can_fail(declaring: Family):
    for parameters in spread(declaring.parameters, 12):
        entry = declaring.build(*parameters)
        name = function_name(entry)
        for law in entry.properties:
            assert not breaks(entry, law, entry.code), (parameters, law)
            assert not breaks(entry, law, entry.alternative), (parameters, law)
            assert any(breaks(entry, law, code) for code in nonsense(name)), law
