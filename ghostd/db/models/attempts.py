"""Attempts, the evidence of every execution, and the texts that evidence shares."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB

from ghostd.core.crystal import Stage, VerdictKind
from ghostd.core.evidence import ExitClass
from ghostd.db.encoding import AnyText
from ghostd.db.models.base import identity, metadata, moment, one_of, text

ABANDONED = "abandoned"  # the process that owned the attempt went away
DUPLICATE = "duplicate"  # verified, but a crystal says the same already
VERDICTS = ("", *VerdictKind, DUPLICATE, ABANDONED)

attempts = Table(
    "attempts",
    metadata,
    identity(),
    Column("concept_id", ForeignKey("concepts.id"), nullable=False, comment="what is being learnt"),
    Column("domain", ForeignKey("domains.slug"), nullable=False, comment="of the concept"),
    Column("teacher", AnyText, nullable=False, comment="model name at its endpoint"),
    Column("repair_round", Integer, nullable=False, server_default="0", comment="0 for the first try"),
    Column("parent_id", ForeignKey("attempts.id"), comment="the attempt that this one repairs"),
    text("stage", "last stage of the yield waterfall that was passed", default=Stage.ASKED.value),
    text("verdict", "empty while open", default=""),
    text("rung", "where on the ladder it failed", default=""),
    Column("reason", AnyText, nullable=False, server_default="", comment="stable and short: why it failed"),
    Column("artifact", AnyText, nullable=False, server_default="", comment="what a repair needs to see"),
    text("duplicate_of", "crystal that says the same already", default=""),
    Column("lesson", JSONB, comment="the teacher's unverified answer"),
    Column("exam", JSONB, comment="checks written without seeing the lesson"),
    Column("mutants_killed", Integer, nullable=False, server_default="0", comment="mutants that the exam rejects"),
    Column("mutants_total", Integer, nullable=False, server_default="0", comment="non-equivalent mutants tried"),
    text("owner", "host and process that opened it"),
    moment("created_at", "when the teacher was asked", now=True),
    moment("answered_at", "when lesson and exam were recorded"),
    moment("finished_at", "when the verdict was recorded; null while open, which is the fence"),
    one_of("stage", Stage),
    one_of("verdict", VERDICTS),
    CheckConstraint("(finished_at IS NULL) = (verdict = '')", name="finished"),
    Index("ix_attempts_concept_id", "concept_id"),
    Index("ix_attempts_parent_id", "parent_id"),
    Index("ix_attempts_domain_verdict", "domain", "verdict"),
    Index("ix_attempts_created_at_stage", "created_at", "stage", "verdict"),
    Index("ix_attempts_open", "created_at", postgresql_where=sql("finished_at IS NULL")),
    comment="Every try to turn a concept into a crystal, and where it failed.",
)

sources = Table(
    "sources",
    metadata,
    Column("hash", LargeBinary, primary_key=True, comment="SHA-256 of the text"),
    Column("text", AnyText, nullable=False, comment="code, or the JSON of a run without its code"),
    CheckConstraint("octet_length(hash) = 32", name="hash"),
    comment="Texts that many executions share, stored once.",
)

places = Table(
    "places",
    metadata,
    identity(),
    text("backend", "docker, bubblewrap or trusted"),
    text("image_id", "SHA-256 of the image, or of the bound runtime"),
    text("cell_version", "SHA-256 of cell.py"),
    UniqueConstraint("backend", "image_id", "cell_version"),
    comment="Where executions took place.",
)

evidence = Table(
    "evidence",
    metadata,
    identity(),
    Column("attempt_id", ForeignKey("attempts.id"), comment="the attempt that it judges"),
    Column("crystal_id", ForeignKey("crystals.id"), comment="the crystal that it verifies again"),
    text("rung", "of the ladder"),
    text("purpose", "exercise, exam, stub:none, mutant:3, replay:2 ..."),
    text("run_key", "hash of everything that determines the result"),
    text("result_hash", "hash of exit class, values, output and exception"),
    text("exit_class", "how the execution ended"),
    Column("supports", Boolean, nullable=False, comment="whether it speaks for the lesson"),
    Column("code", ForeignKey("sources.hash"), nullable=False, comment="the code that ran"),
    Column("run", ForeignKey("sources.hash"), nullable=False, comment="calls, checks, limits and variation"),
    Column("outcome", JSONB, nullable=False, comment="values, checks, output and exception; defaults left out"),
    Column("place_id", ForeignKey("places.id"), nullable=False, comment="backend, image and cell version"),
    text("cell_id", "the container or process that ran it"),
    Column("wall_seconds", Double, nullable=False, comment="wall time"),
    Column("cpu_seconds", Double, nullable=False, comment="CPU time"),
    Column("peak_memory_bytes", BigInteger, nullable=False, comment="peak memory"),
    one_of("exit_class", ExitClass),
    CheckConstraint("num_nonnulls(attempt_id, crystal_id) = 1", name="subject"),
    Index("ix_evidence_attempt_id", "attempt_id"),
    Index("ix_evidence_crystal_id", "crystal_id", postgresql_where=sql("crystal_id IS NOT NULL")),
    comment="Every execution.",
)
