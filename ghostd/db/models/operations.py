"""What the daemon did: calls to teachers and what they cost, cycle runs, decisions, datasets, calibration, training."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB

from ghostd.db.encoding import AnyText
from ghostd.db.models.base import identity, metadata, moment, one_of, text

_MONEY = Numeric(20, 10)

llm_calls = Table(
    "llm_calls",
    metadata,
    identity(),
    text("key", "SHA-256 over everything that changes the answer"),
    text("kind", "domains, concepts, lesson, exam, solution or repair"),
    text("purpose", "learning or calibration", default="learning"),
    Column("model", AnyText, nullable=False, comment="model name"),
    Column("base_url", AnyText, nullable=False, comment="endpoint"),
    text("status", "sent until it is settled", default="sent"),
    Column("request", AnyText, nullable=False, comment="the body as sent"),
    Column("answer", AnyText, nullable=False, server_default="", comment="the message's text"),
    Column("prompt_tokens", BigInteger, nullable=False, comment="estimated until settled"),
    Column("completion_tokens", BigInteger, nullable=False, comment="estimated until settled"),
    Column("cost", _MONEY, nullable=False, comment="in the currency of the prices; estimated until settled"),
    Column(
        "measured", Boolean, nullable=False, server_default="false", comment="whether the endpoint counted the tokens"
    ),
    Column("latency_seconds", Double, nullable=False, server_default="0", comment="first byte sent to last received"),
    Column("http_status", Integer, nullable=False, server_default="0", comment="of the last response; 0 for none"),
    Column("error", AnyText, nullable=False, server_default="", comment="stable and short first word"),
    moment("created_at", "when it was reserved", now=True),
    moment("settled_at", "when its outcome was recorded"),
    one_of("status", ("sent", "ok", "failed", "rejected")),
    Index("ix_llm_calls_answered", "key", "id", postgresql_where=sql("status = 'ok'")),
    Index("ix_llm_calls_created_at", "created_at"),
    comment="Every call to a teacher; written before it is sent.",
)

spending = Table(
    "spending",
    metadata,
    Column("day", Date, primary_key=True, comment="UTC calendar day on which the calls were reserved"),
    Column("purpose", Text, primary_key=True, server_default="learning", comment="learning or calibration"),
    Column("calls", BigInteger, nullable=False, comment="calls reserved"),
    Column("prompt_tokens", BigInteger, nullable=False, comment="settled, plus the estimates of calls not settled"),
    Column("completion_tokens", BigInteger, nullable=False, comment="settled, plus the estimates of calls not settled"),
    Column("cost", _MONEY, nullable=False, comment="settled, plus the estimates of calls not settled"),
    comment="Sums over llm_calls, kept in the same transactions, so that a cap is checked in constant time.",
)

cycle_runs = Table(
    "cycle_runs",
    metadata,
    identity(),
    text("cycle", "which cycle ran"),
    text("status", "how it ended", default="running"),
    Column("reason", AnyText, nullable=False, comment="why it ran, and why it failed"),
    Column("counts", JSONB, nullable=False, server_default="{}", comment="what it did"),
    text("host", "where it ran"),
    moment("started_at", "when it started", now=True),
    moment("finished_at", "when it ended"),
    one_of("status", ("running", "ok", "failed", "interrupted")),
    Index("ix_cycle_runs_started_at", "started_at"),
    Index("ix_cycle_runs_running", "host", postgresql_where=sql("status = 'running'")),
    comment="Each run of a cycle.",
)

decisions = Table(
    "decisions",
    metadata,
    identity(),
    text("cycle", "who decided"),
    text("kind", "about what sort of thing"),
    text("subject", "about what"),
    text("choice", "what was chosen"),
    Column("reason", JSONB, nullable=False, comment="the figures behind it"),
    moment("created_at", "when", now=True),
    Index("ix_decisions_created_at", "created_at"),
    comment="What the cycles decided, and why.",
)

datasets = Table(
    "datasets",
    metadata,
    identity(),
    Column("path", AnyText, nullable=False, comment="where it was written"),
    text("root", "Merkle root over its crystals"),
    Column("crystals", BigInteger, nullable=False, comment="how many crystals it holds"),
    Column("manifest", JSONB, nullable=False, comment="as written beside the data"),
    Column("revoked", BigInteger, nullable=False, server_default="0", comment="crystals in it that were revoked since"),
    moment("created_at", "when it was written", now=True),
    moment("dropped_at", "when ghostd removed its folder to make room; what it held is then forgotten"),
    Index("ix_datasets_path", "path", "id"),
    comment="Exported datasets.",
)

dataset_crystals = Table(
    "dataset_crystals",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False, comment="the dataset"),
    Column("crystal_id", ForeignKey("crystals.id"), nullable=False, comment="a crystal in it"),
    PrimaryKeyConstraint("dataset_id", "crystal_id"),
    Index("ix_dataset_crystals_crystal_id", "crystal_id"),
    comment="Which dataset holds which crystal; revocation follows it.",
)

calibrations = Table(
    "calibrations",
    metadata,
    identity(),
    Column("run_id", ForeignKey("cycle_runs.id"), nullable=False, comment="the run that planted them"),
    text("kind", "of planted item"),
    text("label", "what is known of them: false, deep, harmless or true"),
    Column("planted", Integer, nullable=False, comment="items put through the pipeline, off the books"),
    Column("accepted", Integer, nullable=False, comment="how many of them came out verified"),
    Column("mutants_killed", Integer, nullable=False, comment="by the exams of the accepted ones"),
    Column("mutants_total", Integer, nullable=False, comment="non-equivalent mutants of the accepted ones"),
    Column("detail", JSONB, nullable=False, comment="reasons of rejections, and what was misjudged"),
    moment("created_at", "when", now=True),
    CheckConstraint("accepted BETWEEN 0 AND planted", name="accepted"),
    one_of("label", ("false", "deep", "harmless", "true")),
    Index("ix_calibrations_created_at", "created_at"),
    Index("ix_calibrations_run_id", "run_id"),
    comment="How often the verifier was fooled.",
)

calibration_alarms = Table(
    "calibration_alarms",
    metadata,
    identity(),
    Column("reason", AnyText, nullable=False, comment="the figures that raised it"),
    moment("raised_at", "when; crystallisation pauses from then on", now=True),
    Column(
        "counts_from",
        DateTime(timezone=True),
        nullable=False,
        comment="calibrations before this moment say nothing any more",
    ),
    moment("cleared_at", "when crystallisation went on; null while it pauses"),
    text("cleared_by", "calibration or operator; empty while it pauses", default=""),
    Index("ix_calibration_alarms_open", sql("(true)"), unique=True, postgresql_where=sql("cleared_at IS NULL")),
    comment="When the verifier was found fooled; at most one alarm is open.",
)

training_runs = Table(
    "training_runs",
    metadata,
    identity(),
    Column("dataset_id", ForeignKey("datasets.id"), comment="what it was trained on"),
    text("recipe", "named model of the trainer"),
    text("status", "waiting was only asked for; running may have been killed", default="waiting"),
    Column("folder", AnyText, nullable=False, server_default="", comment="its configuration, dataset and checkpoints"),
    Column("metrics", JSONB, nullable=False, server_default="{}", comment="plan, exam, scores and verdict"),
    Column("promoted", Boolean, nullable=False, server_default="false", comment="whether it became the champion"),
    moment("started_at", "when it started", now=True),
    moment("finished_at", "when it ended"),
    one_of("status", ("waiting", "running", "interrupted", "ok", "failed")),
    Index("ix_training_runs_dataset_id", "dataset_id"),
    Index(
        "ix_training_runs_unfinished",
        sql("(true)"),
        unique=True,
        postgresql_where=sql("status IN ('waiting', 'running', 'interrupted')"),
    ),
    comment="Students and what they were trained on; at most one is unfinished.",
)

variations = Table(
    "variations",
    metadata,
    identity(),
    Column(
        "crystal_id", ForeignKey("crystals.id"), nullable=False, comment="whose code answered, and whose lineage it has"
    ),
    Column("question", AnyText, nullable=False, comment="as a student proposed it"),
    Column("arguments", AnyText, nullable=False, comment="of the call, as the question implies them"),
    Column("value", AnyText, nullable=False, comment="canonical JSON, by execution"),
    text("run_key", "H(code, inputs, image ...) of the execution"),
    text("result_hash", "H(exit class, values ...) of the execution"),
    Column("confidence", Double, nullable=False, comment="mean log-probability of the question's bytes, in nats"),
    Column("answered", Boolean, nullable=False, comment="whether the student's own answer was the value"),
    moment("created_at", "when", now=True),
    Index("ix_variations_crystal_id", "crystal_id", "question", unique=True),
    comment="Questions that a student made of known ones, answered by execution; a crystal's revocation is theirs.",
)
