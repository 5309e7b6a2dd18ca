"""What the verifier demands and allows; it holds numbers, no behaviour."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghostd.core.crystal import Grade
from ghostd.core.evidence import Limits

_SLOWER = 4  # how much slower than the original a mutant may be before it counts as endless


class VerificationConfig(BaseModel):
    """The settings under `verification`. Loosening one lets more pass; calibration shows at what price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum_grade: Literal["executed", "reproducible", "tested", "corroborated"] = "tested"  # to crystallise
    minimum_checks: int = Field(default=8, ge=1)  # real asserts in an exam
    minimum_questions: int = Field(default=4, ge=1)  # distinct argument lists among them
    replays: int = Field(default=5, ge=4)  # three of them in another container, with other hash seeds
    mutant_cap: int = Field(default=24, ge=1)  # mutants tried per lesson
    minimum_mutants: int = Field(default=1, ge=0)  # non-equivalent ones, below which the exam proves nothing
    minimum_mutants_killed: float = Field(default=0.8, ge=0, le=1)  # share of the non-equivalent ones
    generated_inputs: int = Field(default=40, ge=1)  # argument lists for survivors, laws and the independent solution
    corroborate: bool = True  # ask for an independent solution once a lesson is `tested`
    minimum_agreements: int = Field(default=8, ge=1)  # argument lists on which lesson and solution have to agree
    wall_seconds: float = Field(default=6.0, gt=0)  # per execution; CPU time judges, this one only ends what sleeps
    cpu_seconds: float = Field(default=2.0, gt=0)  # per execution
    memory_mib: int = Field(default=128, ge=16)  # per execution
    mutant_cpu_seconds: float = Field(default=0.06, gt=0)  # least time of a mutant; 4 times the original's if longer
    lessons_at_once: int = Field(default=4, ge=1)  # in cells of their own; others wait, or wait for the shared replay
    batch_lessons: int = Field(default=8, ge=1)  # replayed together in one other container
    batch_seconds: float = Field(default=2.5, ge=0)  # how long the first of them waits for company

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.grade > Grade.TESTED and not self.corroborate:
            raise ValueError(
                "minimum_grade = corroborated cannot be reached without verification.corroborate; turn it on"
            )
        return self

    @property
    def grade(self) -> Grade:
        """The minimum grade as a value that compares."""
        return Grade[self.minimum_grade.upper()]

    def limits(self) -> Limits:
        """Of an execution of the lesson's own code."""
        return Limits(self.wall_seconds, self.cpu_seconds, self.memory_mib << 20)

    def mutant_limits(self, baseline_seconds: float) -> Limits:
        """Of a stub or mutant, when the original took `baseline_seconds` of CPU time.

        CPU time, because a crowded machine must not kill mutants in the exam's stead. Doubled from the least
        time rather than multiplied, so that run keys do not follow the machine's mood.
        """
        cpu = self.mutant_cpu_seconds
        while cpu < min(_SLOWER * baseline_seconds, self.cpu_seconds):
            cpu *= 2
        return Limits(self.wall_seconds, min(cpu, self.cpu_seconds), self.memory_mib << 20)
