"""The first rung: is there code, and an exam, worth running; it reads, it never executes.

Turning it off must not make anything unsafe: every hazard that it names is also contained, and most are
caught, by the rungs that execute.
"""

import ast
from dataclasses import dataclass

from ghostd.core import ladder
from ghostd.core.concept import Concept
from ghostd.core.lesson import Exam, Failure
from ghostd.verify.config import VerificationConfig
from ghostd.verify.exam import ExamReading, UnfitExam, read_exam
from ghostd.verify.hazards import Unreadable, find_hazard, parse


@dataclass(frozen=True, slots=True)
class Arity:
    """How many positional arguments a function demands and takes."""

    required: int
    accepted: int  # a large number for *args

    def serves(self, asked: "Arity") -> bool:
        """Whether every call that `asked` allows is possible."""
        return self.required <= asked.required and self.accepted >= asked.accepted


def inspect_code(concept: Concept, code: str) -> Failure | None:
    """Whether the code of a lesson or solution parses, keeps to the allowed modules and names, and defines the
    concept's function.
    """
    if not concept.entry:
        return ladder.failure("static.signature", f"not a function signature: {concept.signature}")
    try:
        tree = parse(code)
    except Unreadable as error:
        return ladder.failure("static.parse", f"the code is not a Python module: {error}")
    hazard = find_hazard(tree)
    if hazard:
        return ladder.failure(f"static.{hazard}", f"the code may not use this: {hazard}")
    return _judge_definition(tree, concept)


def inspect_exam(concept: Concept, exam: Exam, config: VerificationConfig) -> tuple[ExamReading | None, Failure | None]:
    """What the exam asks, or why it cannot judge anything."""
    try:
        reading = read_exam(exam, concept.entry)
    except UnfitExam as unfit:
        word, snippet = unfit.args[0], unfit.args[1] if len(unfit.args) > 1 else ""
        return None, ladder.failure(f"static.{word}", f"this check of the exam is unfit:\n{snippet}")
    if reading.asserts >= config.minimum_checks and len(reading.questions) >= config.minimum_questions:
        return reading, None
    found = f"{reading.asserts} real asserts over {len(reading.questions)} distinct argument lists"
    asked = f"at least {config.minimum_checks} over {config.minimum_questions} are needed"
    word = "exam_tautological" if reading.tautologies else "exam_too_few_checks"
    return None, ladder.failure(f"static.{word}", f"the exam has {found}; {asked}")


def _judge_definition(tree: ast.Module, concept: Concept) -> Failure | None:
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == concept.entry]
    assigned = any(
        isinstance(target, ast.Name) and target.id == concept.entry
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    )
    if not definitions:
        missing = ladder.failure("static.entry", f"the code does not define {concept.entry} at its top level")
        return None if assigned else missing
    asked = _asked_arity(concept.signature)
    if asked is None or _arity(definitions[-1].args).serves(asked):
        return None
    written = ast.unparse(definitions[-1].args)
    return ladder.failure(
        "static.arity", f"{concept.entry}({written}) does not take the arguments of {concept.signature}"
    )


def _asked_arity(signature: str) -> Arity | None:
    """The arity that a signature line asks for; None when it has no readable parameter list."""
    try:
        tree = parse(signature.strip().rstrip(":") + ": ...")
    except Unreadable:
        return None
    function = tree.body[0]
    return _arity(function.args) if isinstance(function, ast.FunctionDef) else None


def _arity(arguments: ast.arguments) -> Arity:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    keyword_only = sum(default is None for default in arguments.kw_defaults)
    return Arity(required + keyword_only, 1_000 if arguments.vararg else positional)
