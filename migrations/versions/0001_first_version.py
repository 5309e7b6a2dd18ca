"""Knowledge, evidence, ledger and operations of the first version, and procrastinate's job queue

Revision ID: 0001
Revises:
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibration_alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("reason", sa.Text(), nullable=False, comment="the figures that raised it"),
        sa.Column(
            "raised_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when; crystallisation pauses from then on",
        ),
        sa.Column(
            "counts_from",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="calibrations before this moment say nothing any more",
        ),
        sa.Column(
            "cleared_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when crystallisation went on; null while it pauses",
        ),
        sa.Column(
            "cleared_by",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="calibration or operator; empty while it pauses",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_alarms")),
        comment="When the verifier was found fooled; at most one alarm is open.",
    )
    op.create_index(
        "ix_calibration_alarms_open",
        "calibration_alarms",
        [sa.text("(true)")],
        unique=True,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_table(
        "cycle_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("cycle", sa.Text(), nullable=False, comment="which cycle ran"),
        sa.Column("status", sa.Text(), server_default="running", nullable=False, comment="how it ended"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it ran, and why it failed"),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="what it did",
        ),
        sa.Column("host", sa.Text(), nullable=False, comment="where it ran"),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it started",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="when it ended"),
        sa.CheckConstraint("status IN ('running', 'ok', 'failed', 'interrupted')", name=op.f("ck_cycle_runs_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycle_runs")),
        comment="Each run of a cycle.",
    )
    op.create_index(
        "ix_cycle_runs_running", "cycle_runs", ["host"], unique=False, postgresql_where=sa.text("status = 'running'")
    )
    op.create_index("ix_cycle_runs_started_at", "cycle_runs", ["started_at"], unique=False)
    op.create_table(
        "calibrations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("run_id", sa.BigInteger(), nullable=False, comment="the run that planted them"),
        sa.Column("kind", sa.Text(), nullable=False, comment="of planted item"),
        sa.Column(
            "label", sa.Text(), nullable=False, comment="what is known of them: false, deep, harmless or true"
        ),
        sa.Column("planted", sa.Integer(), nullable=False, comment="items put through the pipeline, off the books"),
        sa.Column("accepted", sa.Integer(), nullable=False, comment="how many of them came out verified"),
        sa.Column("mutants_killed", sa.Integer(), nullable=False, comment="by the exams of the accepted ones"),
        sa.Column(
            "mutants_total", sa.Integer(), nullable=False, comment="non-equivalent mutants of the accepted ones"
        ),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="reasons of rejections, and what was misjudged",
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.CheckConstraint("accepted BETWEEN 0 AND planted", name=op.f("ck_calibrations_accepted")),
        sa.CheckConstraint("label IN ('false', 'deep', 'harmless', 'true')", name=op.f("ck_calibrations_label")),
        sa.ForeignKeyConstraint(["run_id"], ["cycle_runs.id"], name=op.f("fk_calibrations_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
        comment="How often the verifier was fooled.",
    )
    op.create_index("ix_calibrations_created_at", "calibrations", ["created_at"], unique=False)
    op.create_index("ix_calibrations_run_id", "calibrations", ["run_id"], unique=False)
    op.create_table(
        "datasets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("path", sa.Text(), nullable=False, comment="where it was written"),
        sa.Column("root", sa.Text(), nullable=False, comment="Merkle root over its crystals"),
        sa.Column("crystals", sa.BigInteger(), nullable=False, comment="how many crystals it holds"),
        sa.Column(
            "manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="as written beside the data"
        ),
        sa.Column(
            "revoked",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="crystals in it that were revoked since",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was written",
        ),
        sa.Column(
            "dropped_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when ghostd removed its folder to make room; what it held is then forgotten",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        comment="Exported datasets.",
    )
    op.create_index("ix_datasets_path", "datasets", ["path", "id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("cycle", sa.Text(), nullable=False, comment="who decided"),
        sa.Column("kind", sa.Text(), nullable=False, comment="about what sort of thing"),
        sa.Column("subject", sa.Text(), nullable=False, comment="about what"),
        sa.Column("choice", sa.Text(), nullable=False, comment="what was chosen"),
        sa.Column("reason", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="the figures behind it"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        comment="What the cycles decided, and why.",
    )
    op.create_index("ix_decisions_created_at", "decisions", ["created_at"], unique=False)
    op.create_table(
        "domains",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("slug", sa.Text(), nullable=False, comment="name on the command line"),
        sa.Column("title", sa.Text(), nullable=False, comment="for people"),
        sa.Column("description", sa.Text(), nullable=False, comment="what belongs to the field"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why the domain was added"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was added",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
        sa.UniqueConstraint("slug", name=op.f("uq_domains_slug")),
        comment="Fields of knowledge.",
    )
    op.create_table(
        "ledger",
        sa.Column(
            "leaf_index",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="place in the log, from 0, without gaps",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="what happened"),
        sa.Column("subject", sa.Text(), nullable=False, comment="crystal id"),
        sa.Column("entry", sa.Text(), nullable=False, comment="the leaf's data: what is hashed"),
        sa.Column(
            "leaf_hash", sa.LargeBinary(), nullable=False, comment="SHA-256(0x00 || entry), RFC 6962 section 2.1"
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was appended",
        ),
        sa.CheckConstraint("kind IN ('crystal', 'revocation')", name=op.f("ck_ledger_kind")),
        sa.CheckConstraint("leaf_index >= 0", name=op.f("ck_ledger_leaf_index")),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name=op.f("ck_ledger_leaf_hash")),
        sa.PrimaryKeyConstraint("leaf_index", name=op.f("pk_ledger")),
        comment="The append-only Merkle log.",
    )
    op.create_index("ix_ledger_subject", "ledger", ["subject"], unique=False)
    op.create_table(
        "ledger_heads",
        sa.Column("size", sa.BigInteger(), nullable=False, comment="leaves that the head covers"),
        sa.Column("key_id", sa.Text(), nullable=False, comment="SHA-256 of the public key, hex"),
        sa.Column("root", sa.LargeBinary(), nullable=False, comment="Merkle tree hash of those leaves"),
        sa.Column("signed_at", sa.BigInteger(), nullable=False, comment="milliseconds since the epoch, as signed"),
        sa.Column("public_key", sa.LargeBinary(), nullable=False, comment="Ed25519, 32 bytes"),
        sa.Column("signature", sa.LargeBinary(), nullable=False, comment="Ed25519 over the head's statement"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was stored",
        ),
        sa.PrimaryKeyConstraint("size", "key_id", name=op.f("pk_ledger_heads")),
        comment="Signed tree heads; two of one size only where the key was replaced.",
    )
    op.create_table(
        "llm_calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("key", sa.Text(), nullable=False, comment="SHA-256 over everything that changes the answer"),
        sa.Column("kind", sa.Text(), nullable=False, comment="domains, concepts, lesson, exam, solution or repair"),
        sa.Column(
            "purpose", sa.Text(), server_default="learning", nullable=False, comment="learning or calibration"
        ),
        sa.Column("model", sa.Text(), nullable=False, comment="model name"),
        sa.Column("base_url", sa.Text(), nullable=False, comment="endpoint"),
        sa.Column("status", sa.Text(), server_default="sent", nullable=False, comment="sent until it is settled"),
        sa.Column("request", sa.Text(), nullable=False, comment="the body as sent"),
        sa.Column("answer", sa.Text(), server_default="", nullable=False, comment="the message's text"),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False, comment="estimated until settled"),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=False, comment="estimated until settled"),
        sa.Column(
            "cost",
            sa.Numeric(precision=20, scale=10),
            nullable=False,
            comment="in the currency of the prices; estimated until settled",
        ),
        sa.Column(
            "measured",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="whether the endpoint counted the tokens",
        ),
        sa.Column(
            "latency_seconds",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="first byte sent to last received",
        ),
        sa.Column(
            "http_status", sa.Integer(), server_default="0", nullable=False, comment="of the last response; 0 for none"
        ),
        sa.Column("error", sa.Text(), server_default="", nullable=False, comment="stable and short first word"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was reserved",
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True, comment="when its outcome was recorded"),
        sa.CheckConstraint("status IN ('sent', 'ok', 'failed', 'rejected')", name=op.f("ck_llm_calls_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_calls")),
        comment="Every call to a teacher; written before it is sent.",
    )
    op.create_index(
        "ix_llm_calls_answered", "llm_calls", ["key", "id"], unique=False, postgresql_where=sa.text("status = 'ok'")
    )
    op.create_index("ix_llm_calls_created_at", "llm_calls", ["created_at"], unique=False)
    op.create_table(
        "places",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("backend", sa.Text(), nullable=False, comment="docker, bubblewrap or trusted"),
        sa.Column("image_id", sa.Text(), nullable=False, comment="SHA-256 of the image, or of the bound runtime"),
        sa.Column("cell_version", sa.Text(), nullable=False, comment="SHA-256 of cell.py"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_places")),
        sa.UniqueConstraint(
            "backend", "image_id", "cell_version", name=op.f("uq_places_backend_image_id_cell_version")
        ),
        comment="Where executions took place.",
    )
    op.create_table(
        "sketches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what was sketched"),
        sa.Column("owner", sa.Text(), nullable=False, comment="concept slug or crystal id"),
        sa.Column("text", sa.Text(), nullable=False, comment="normalised; exact Jaccard is computed from it"),
        sa.Column(
            "signature", sa.LargeBinary(), nullable=False, comment="MinHash: 128 little-endian unsigned 32-bit minima"
        ),
        sa.CheckConstraint("kind IN ('concept', 'explanation', 'code')", name=op.f("ck_sketches_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sketches")),
        sa.UniqueConstraint("kind", "owner", name=op.f("uq_sketches_kind_owner")),
        comment="What near-duplicates are found by.",
    )
    op.create_table(
        "sources",
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the text"),
        sa.Column("text", sa.Text(), nullable=False, comment="code, or the JSON of a run without its code"),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_sources_hash")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sources")),
        comment="Texts that many executions share, stored once.",
    )
    op.create_table(
        "spending",
        sa.Column("day", sa.Date(), nullable=False, comment="UTC calendar day on which the calls were reserved"),
        sa.Column(
            "purpose", sa.Text(), server_default="learning", nullable=False, comment="learning or calibration"
        ),
        sa.Column("calls", sa.BigInteger(), nullable=False, comment="calls reserved"),
        sa.Column(
            "prompt_tokens", sa.BigInteger(), nullable=False, comment="settled, plus the estimates of calls not settled"
        ),
        sa.Column(
            "completion_tokens",
            sa.BigInteger(),
            nullable=False,
            comment="settled, plus the estimates of calls not settled",
        ),
        sa.Column(
            "cost",
            sa.Numeric(precision=20, scale=10),
            nullable=False,
            comment="settled, plus the estimates of calls not settled",
        ),
        sa.PrimaryKeyConstraint("day", "purpose", name=op.f("pk_spending")),
        comment="Sums over llm_calls, kept in the same transactions, so that a cap is checked in constant time.",
    )
    op.create_table(
        "concepts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("slug", sa.Text(), nullable=False, comment="domain/name"),
        sa.Column("domain", sa.Text(), nullable=False, comment="slug of the domain"),
        sa.Column("name", sa.Text(), nullable=False, comment="slug of the title, without the domain"),
        sa.Column("title", sa.Text(), nullable=False, comment="unique within the domain"),
        sa.Column("statement", sa.Text(), nullable=False, comment="what the function must return for which arguments"),
        sa.Column("signature", sa.Text(), nullable=False, comment="one line of Python"),
        sa.Column("parent", sa.Text(), nullable=False, comment="title of the more general concept, or empty"),
        sa.Column(
            "prerequisites",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="titles, in the order given",
        ),
        sa.Column(
            "lineage",
            sa.Text(),
            nullable=False,
            comment="domain/slug of the parent, or of the concept itself; variants share it",
        ),
        sa.Column("state", sa.Text(), server_default="open", nullable=False, comment="where the concept stands"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it was proposed"),
        sa.Column(
            "choice",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="why it was scheduled: the parts of its score",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="attempts opened so far"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was admitted",
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when its state last changed",
        ),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('english', left(title, 10000)), 'A') || setweight(to_tsvector('english', left(statement, 50000)), 'B')",
                persisted=True,
            ),
            nullable=True,
            comment="full-text index of title and statement",
        ),
        sa.CheckConstraint(
            "state IN ('open', 'scheduled', 'crystal', 'failed', 'duplicate')", name=op.f("ck_concepts_state")
        ),
        sa.ForeignKeyConstraint(["domain"], ["domains.slug"], name=op.f("fk_concepts_domain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concepts")),
        sa.UniqueConstraint("slug", name=op.f("uq_concepts_slug")),
        comment="Everything that was ever proposed and found new.",
    )
    op.create_index("ix_concepts_domain_state", "concepts", ["domain", "state"], unique=False)
    op.create_index("ix_concepts_lineage", "concepts", ["lineage", "state"], unique=False)
    op.create_index("ix_concepts_name", "concepts", ["name"], unique=False)
    op.create_index(
        "ix_concepts_open", "concepts", ["domain", "id"], unique=False, postgresql_where=sa.text("state = 'open'")
    )
    op.create_index(
        "ix_concepts_scheduled",
        "concepts",
        ["changed_at"],
        unique=False,
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    op.create_index("ix_concepts_search", "concepts", ["search"], unique=False, postgresql_using="gin")
    op.create_table(
        "sketch_bands",
        sa.Column("kind", sa.Text(), nullable=False, comment="as in sketches"),
        sa.Column(
            "hash",
            sa.BigInteger(),
            nullable=False,
            comment="of what must agree, one band and its number",
        ),
        sa.Column("sketch_id", sa.BigInteger(), nullable=False, comment="whose band it is"),
        sa.ForeignKeyConstraint(
            ["sketch_id"], ["sketches.id"], name=op.f("fk_sketch_bands_sketch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "hash", "sketch_id", name=op.f("pk_sketch_bands")),
        comment="Locality-sensitive index: texts that share a band are proposed as duplicates.",
    )
    op.create_index("ix_sketch_bands_sketch_id", "sketch_bands", ["sketch_id"], unique=False)
    op.create_table(
        "training_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("dataset_id", sa.BigInteger(), nullable=True, comment="what it was trained on"),
        sa.Column("recipe", sa.Text(), nullable=False, comment="named model of the trainer"),
        sa.Column(
            "status",
            sa.Text(),
            server_default="waiting",
            nullable=False,
            comment="waiting was only asked for; running may have been killed",
        ),
        sa.Column(
            "folder",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="its configuration, dataset and checkpoints",
        ),
        sa.Column(
            "metrics",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="plan, exam, scores and verdict",
        ),
        sa.Column(
            "promoted", sa.Boolean(), server_default="false", nullable=False, comment="whether it became the champion"
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it started",
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="when it ended"),
        sa.CheckConstraint(
            "status IN ('waiting', 'running', 'interrupted', 'ok', 'failed')", name=op.f("ck_training_runs_status")
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_training_runs_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_runs")),
        comment="Students and what they were trained on; at most one is unfinished.",
    )
    op.create_index("ix_training_runs_dataset_id", "training_runs", ["dataset_id"], unique=False)
    op.create_index(
        "ix_training_runs_unfinished",
        "training_runs",
        [sa.literal_column("(true)")],
        unique=True,
        postgresql_where=sa.text("status IN ('waiting', 'running', 'interrupted')"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("concept_id", sa.BigInteger(), nullable=False, comment="what is being learnt"),
        sa.Column("domain", sa.Text(), nullable=False, comment="of the concept"),
        sa.Column("teacher", sa.Text(), nullable=False, comment="model name at its endpoint"),
        sa.Column("repair_round", sa.Integer(), server_default="0", nullable=False, comment="0 for the first try"),
        sa.Column("parent_id", sa.BigInteger(), nullable=True, comment="the attempt that this one repairs"),
        sa.Column(
            "stage",
            sa.Text(),
            server_default="asked",
            nullable=False,
            comment="last stage of the yield waterfall that was passed",
        ),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False, comment="empty while open"),
        sa.Column("rung", sa.Text(), server_default="", nullable=False, comment="where on the ladder it failed"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="stable and short: why it failed"),
        sa.Column("artifact", sa.Text(), server_default="", nullable=False, comment="what a repair needs to see"),
        sa.Column(
            "duplicate_of", sa.Text(), server_default="", nullable=False, comment="crystal that says the same already"
        ),
        sa.Column(
            "lesson", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="the teacher's unverified answer"
        ),
        sa.Column(
            "exam",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="checks written without seeing the lesson",
        ),
        sa.Column(
            "mutants_killed", sa.Integer(), server_default="0", nullable=False, comment="mutants that the exam rejects"
        ),
        sa.Column(
            "mutants_total", sa.Integer(), server_default="0", nullable=False, comment="non-equivalent mutants tried"
        ),
        sa.Column("owner", sa.Text(), nullable=False, comment="host and process that opened it"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the teacher was asked",
        ),
        sa.Column(
            "answered_at", sa.DateTime(timezone=True), nullable=True, comment="when lesson and exam were recorded"
        ),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the verdict was recorded; null while open, which is the fence",
        ),
        sa.CheckConstraint("(finished_at IS NULL) = (verdict = '')", name=op.f("ck_attempts_finished")),
        sa.CheckConstraint(
            "stage IN ('asked', 'parsed', 'executed', 'reproducible', 'tested', 'novel', 'stored')",
            name=op.f("ck_attempts_stage"),
        ),
        sa.CheckConstraint(
            "verdict IN ('', 'verified', 'refuted', 'flaky', 'inconclusive', 'duplicate', 'abandoned')",
            name=op.f("ck_attempts_verdict"),
        ),
        sa.ForeignKeyConstraint(["concept_id"], ["concepts.id"], name=op.f("fk_attempts_concept_id")),
        sa.ForeignKeyConstraint(["domain"], ["domains.slug"], name=op.f("fk_attempts_domain")),
        sa.ForeignKeyConstraint(["parent_id"], ["attempts.id"], name=op.f("fk_attempts_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
        comment="Every try to turn a concept into a crystal, and where it failed.",
    )
    op.create_index("ix_attempts_concept_id", "attempts", ["concept_id"], unique=False)
    op.create_index("ix_attempts_created_at_stage", "attempts", ["created_at", "stage", "verdict"], unique=False)
    op.create_index("ix_attempts_domain_verdict", "attempts", ["domain", "verdict"], unique=False)
    op.create_index(
        "ix_attempts_open", "attempts", ["created_at"], unique=False, postgresql_where=sa.text("finished_at IS NULL")
    )
    op.create_index("ix_attempts_parent_id", "attempts", ["parent_id"], unique=False)
    op.create_table(
        "concept_edges",
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="the concept that needs the other"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what the edge means"),
        sa.Column(
            "target", sa.Text(), nullable=False, comment="slug of the other concept's title; it may not exist yet"
        ),
        sa.Column("title", sa.Text(), nullable=False, comment="the other concept's title, as it was written"),
        sa.Column("target_id", sa.BigInteger(), nullable=True, comment="the other concept, once it is known"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="why the edge was drawn"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was drawn",
        ),
        sa.CheckConstraint("kind IN ('prerequisite', 'parent', 'bridge')", name=op.f("ck_concept_edges_kind")),
        sa.ForeignKeyConstraint(["source_id"], ["concepts.id"], name=op.f("fk_concept_edges_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["concepts.id"], name=op.f("fk_concept_edges_target_id")),
        sa.PrimaryKeyConstraint("source_id", "kind", "target", name=op.f("pk_concept_edges")),
        comment="The shape of the knowledge: prerequisites, parents and bridges.",
    )
    op.create_index(
        "ix_concept_edges_dangling",
        "concept_edges",
        ["target"],
        unique=False,
        postgresql_where=sa.text("target_id IS NULL"),
    )
    op.create_index("ix_concept_edges_target_id", "concept_edges", ["target_id"], unique=False)
    op.create_table(
        "crystals",
        sa.Column("id", sa.Text(), nullable=False, comment="SHA-256 over the content"),
        sa.Column(
            "verification_hash",
            sa.Text(),
            nullable=False,
            comment="SHA-256 over content, exam, run keys, result hashes and grade",
        ),
        sa.Column("concept_id", sa.BigInteger(), nullable=False, comment="what is known"),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False, comment="the attempt that it came from"),
        sa.Column("domain", sa.Text(), nullable=False, comment="of the concept"),
        sa.Column("lineage", sa.Text(), nullable=False, comment="of the concept; splits never separate it"),
        sa.Column("teacher", sa.Text(), nullable=False, comment="model name at its endpoint"),
        sa.Column("grade", sa.SmallInteger(), nullable=False, comment="depth of verification when it was stored, 1..5"),
        sa.Column("quality", sa.Double(), nullable=False, comment="0..1"),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="the whole crystal"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was crystallised",
        ),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('english', left(coalesce(content #>> '{concept,title}', ''), 100000)), 'A') || setweight(to_tsvector('english', left(coalesce(content #>> '{concept,statement}', ''), 100000)), 'B') || setweight(to_tsvector('english', left(coalesce(content #>> '{lesson,explanation}', ''), 100000)), 'C') || setweight(to_tsvector('english', left(coalesce(content #>> '{lesson,code}', ''), 100000)), 'D')",
                persisted=True,
            ),
            nullable=True,
            comment="title, statement, explanation and code",
        ),
        sa.CheckConstraint("grade BETWEEN 1 AND 5", name=op.f("ck_crystals_grade")),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_crystals_attempt_id")),
        sa.ForeignKeyConstraint(["concept_id"], ["concepts.id"], name=op.f("fk_crystals_concept_id")),
        sa.ForeignKeyConstraint(["domain"], ["domains.slug"], name=op.f("fk_crystals_domain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crystals")),
        comment="What survived verification. Rows are never changed; a revocation is a row of its own.",
    )
    op.create_index("ix_crystals_attempt_id", "crystals", ["attempt_id"], unique=False)
    op.create_index("ix_crystals_concept_id", "crystals", ["concept_id"], unique=False)
    op.create_index("ix_crystals_created_at", "crystals", ["created_at"], unique=False)
    op.create_index("ix_crystals_domain", "crystals", ["domain"], unique=False)
    op.create_index("ix_crystals_lineage", "crystals", ["lineage", "teacher"], unique=False)
    op.create_index("ix_crystals_teacher", "crystals", ["teacher", "domain"], unique=False)
    op.create_index("ix_crystals_search", "crystals", ["search"], unique=False, postgresql_using="gin")
    op.create_table(
        "claims",
        sa.Column("crystal_id", sa.Text(), nullable=False, comment="whose explanation makes it"),
        sa.Column("position", sa.Integer(), nullable=False, comment="place in the lesson, from 0"),
        sa.Column("text", sa.Text(), nullable=False, comment="one checkable sentence"),
        sa.Column("expression", sa.Text(), nullable=False, comment="its check in Python, or empty"),
        sa.Column("status", sa.Text(), nullable=False, comment="what execution said of it"),
        sa.Column("result", sa.Text(), nullable=False, comment="canonical value or message"),
        sa.CheckConstraint("status IN ('verified', 'refuted', 'unverified')", name=op.f("ck_claims_status")),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_claims_crystal_id")),
        sa.PrimaryKeyConstraint("crystal_id", "position", name=op.f("pk_claims")),
        comment="The claims of each crystal.",
    )
    op.create_table(
        "dataset_crystals",
        sa.Column("dataset_id", sa.BigInteger(), nullable=False, comment="the dataset"),
        sa.Column("crystal_id", sa.Text(), nullable=False, comment="a crystal in it"),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_dataset_crystals_crystal_id")),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_crystals_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "crystal_id", name=op.f("pk_dataset_crystals")),
        comment="Which dataset holds which crystal; revocation follows it.",
    )
    op.create_index("ix_dataset_crystals_crystal_id", "dataset_crystals", ["crystal_id"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True, comment="the attempt that it judges"),
        sa.Column("crystal_id", sa.Text(), nullable=True, comment="the crystal that it verifies again"),
        sa.Column("rung", sa.Text(), nullable=False, comment="of the ladder"),
        sa.Column("purpose", sa.Text(), nullable=False, comment="exercise, exam, stub:none, mutant:3, replay:2 ..."),
        sa.Column("run_key", sa.Text(), nullable=False, comment="hash of everything that determines the result"),
        sa.Column("result_hash", sa.Text(), nullable=False, comment="hash of exit class, values, output and exception"),
        sa.Column("exit_class", sa.Text(), nullable=False, comment="how the execution ended"),
        sa.Column("supports", sa.Boolean(), nullable=False, comment="whether it speaks for the lesson"),
        sa.Column("code", sa.LargeBinary(), nullable=False, comment="the code that ran"),
        sa.Column("run", sa.LargeBinary(), nullable=False, comment="calls, checks, limits and variation"),
        sa.Column(
            "outcome",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="values, checks, output and exception; defaults left out",
        ),
        sa.Column("place_id", sa.BigInteger(), nullable=False, comment="backend, image and cell version"),
        sa.Column("cell_id", sa.Text(), nullable=False, comment="the container or process that ran it"),
        sa.Column("wall_seconds", sa.Double(), nullable=False, comment="wall time"),
        sa.Column("cpu_seconds", sa.Double(), nullable=False, comment="CPU time"),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=False, comment="peak memory"),
        sa.CheckConstraint(
            "exit_class IN ('ok', 'error', 'assertion', 'timeout', 'oom', 'output_limit', 'signal', 'forbidden')",
            name=op.f("ck_evidence_exit_class"),
        ),
        sa.CheckConstraint("num_nonnulls(attempt_id, crystal_id) = 1", name=op.f("ck_evidence_subject")),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"], name=op.f("fk_evidence_attempt_id")),
        sa.ForeignKeyConstraint(["code"], ["sources.hash"], name=op.f("fk_evidence_code")),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_evidence_crystal_id")),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name=op.f("fk_evidence_place_id")),
        sa.ForeignKeyConstraint(["run"], ["sources.hash"], name=op.f("fk_evidence_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        comment="Every execution.",
    )
    op.create_index("ix_evidence_attempt_id", "evidence", ["attempt_id"], unique=False)
    op.create_index(
        "ix_evidence_crystal_id",
        "evidence",
        ["crystal_id"],
        unique=False,
        postgresql_where=sa.text("crystal_id IS NOT NULL"),
    )
    op.create_table(
        "lineage",
        sa.Column("child_id", sa.Text(), nullable=False, comment="the composite"),
        sa.Column("parent_id", sa.Text(), nullable=False, comment="a crystal that it is made of"),
        sa.Column("kind", sa.Text(), nullable=False, comment="dream, generalisation or translation"),
        sa.CheckConstraint("child_id <> parent_id", name=op.f("ck_lineage_not_itself")),
        sa.ForeignKeyConstraint(["child_id"], ["crystals.id"], name=op.f("fk_lineage_child_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["crystals.id"], name=op.f("fk_lineage_parent_id")),
        sa.PrimaryKeyConstraint("child_id", "parent_id", name=op.f("pk_lineage")),
        comment="Which crystal was made of which; revocation follows it downwards.",
    )
    op.create_index("ix_lineage_parent_id", "lineage", ["parent_id"], unique=False)
    op.create_table(
        "reverifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column("crystal_id", sa.Text(), nullable=False, comment="what was replayed"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="what the replay said"),
        sa.Column("decision", sa.Text(), nullable=False, comment="what followed from it"),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="why it was due, and what differed, if anything",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was replayed",
        ),
        sa.CheckConstraint(
            "verdict IN ('verified', 'refuted', 'flaky', 'inconclusive')", name=op.f("ck_reverifications_verdict")
        ),
        sa.CheckConstraint(
            "decision IN ('held', 'repeat', 'revoke', 'undecided')", name=op.f("ck_reverifications_decision")
        ),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_reverifications_crystal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reverifications")),
        comment="Blind replays of stored crystals.",
    )
    op.create_index("ix_reverifications_crystal_id", "reverifications", ["crystal_id", "created_at"], unique=False)
    op.create_table(
        "revocations",
        sa.Column("crystal_id", sa.Text(), nullable=False, comment="what is no longer believed"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why"),
        sa.Column(
            "revoked_by", sa.Text(), nullable=False, comment="reverification, or the person at the command line"
        ),
        sa.Column(
            "origin_id",
            sa.Text(),
            nullable=True,
            comment="the ancestor that failed; null for one that failed itself",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when it was revoked",
        ),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_revocations_crystal_id")),
        sa.ForeignKeyConstraint(["origin_id"], ["crystals.id"], name=op.f("fk_revocations_origin_id")),
        sa.PrimaryKeyConstraint("crystal_id", name=op.f("pk_revocations")),
        comment="Crystals that were withdrawn.",
    )
    op.create_index("ix_revocations_origin_id", "revocations", ["origin_id"], unique=False)
    op.create_table(
        "standings",
        sa.Column("crystal_id", sa.Text(), nullable=False, comment="a crystal that is believed"),
        sa.Column(
            "checked_at", sa.DateTime(timezone=True), nullable=False, comment="when it was stored or last replayed"
        ),
        sa.Column("verdict", sa.Text(), nullable=False, comment="of that check"),
        sa.Column("place_id", sa.BigInteger(), nullable=True, comment="where that check ran"),
        sa.Column(
            "postponed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a replay broke its cell while others did not; null after a replay",
        ),
        sa.Column(
            "weak", sa.Boolean(), nullable=False, comment="whether it was verified weakly, and so is due sooner"
        ),
        sa.CheckConstraint(
            "verdict IN ('verified', 'refuted', 'flaky', 'inconclusive')", name=op.f("ck_standings_verdict")
        ),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_standings_crystal_id")),
        sa.ForeignKeyConstraint(["place_id"], ["places.id"], name=op.f("fk_standings_place_id")),
        sa.PrimaryKeyConstraint("crystal_id", name=op.f("pk_standings")),
        comment="How each believed crystal stands: what re-verification chooses by. Gone once it is revoked.",
    )
    op.create_index("ix_standings_checked_at", "standings", ["checked_at"], unique=False)
    op.create_index(
        "ix_standings_failed",
        "standings",
        ["checked_at"],
        unique=False,
        postgresql_where=sa.text("verdict IN ('refuted', 'flaky')"),
    )
    op.create_index("ix_standings_place_id", "standings", ["place_id", "checked_at"], unique=False)
    op.create_index(
        "ix_standings_weak", "standings", ["checked_at"], unique=False, postgresql_where=sa.text("weak")
    )
    op.create_table(
        "variations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="row number"),
        sa.Column(
            "crystal_id", sa.Text(), nullable=False, comment="whose code answered, and whose lineage it has"
        ),
        sa.Column("question", sa.Text(), nullable=False, comment="as a student proposed it"),
        sa.Column("arguments", sa.Text(), nullable=False, comment="of the call, as the question implies them"),
        sa.Column("value", sa.Text(), nullable=False, comment="canonical JSON, by execution"),
        sa.Column("run_key", sa.Text(), nullable=False, comment="H(code, inputs, image ...) of the execution"),
        sa.Column("result_hash", sa.Text(), nullable=False, comment="H(exit class, values ...) of the execution"),
        sa.Column(
            "confidence",
            sa.Double(),
            nullable=False,
            comment="mean log-probability of the question's bytes, in nats",
        ),
        sa.Column(
            "answered", sa.Boolean(), nullable=False, comment="whether the student's own answer was the value"
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="when"
        ),
        sa.ForeignKeyConstraint(["crystal_id"], ["crystals.id"], name=op.f("fk_variations_crystal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variations")),
        comment="Questions that a student made of known ones, answered by execution; a crystal's revocation is theirs.",
    )
    op.create_index("ix_variations_crystal_id", "variations", ["crystal_id", "question"], unique=True)
    # the queue's schema as procrastinate 3.10 has it; a later one comes with a migration of its own
    queue = (Path(__file__).parent.parent / "procrastinate-3.10.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(queue, execution_options={"no_parameters": True})
