"""Crystals with their claims and lineage, how they stand, re-verifications, revocations and the ledger."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from ghostd.core.crystal import VerdictKind
from ghostd.core.reverification import Decision
from ghostd.db.encoding import AnyText
from ghostd.db.models.base import identity, metadata, moment, one_of, text

_SEARCHED = (
    ("concept", "title", "A"),
    ("concept", "statement", "B"),
    ("lesson", "explanation", "C"),
    ("lesson", "code", "D"),
)
_SEARCH = " || ".join(
    f"setweight(to_tsvector('english', left(coalesce(content #>> '{{{part},{name}}}', ''), 100000)), '{weight}')"
    for part, name, weight in _SEARCHED
)

crystals = Table(
    "crystals",
    metadata,
    Column("id", Text, primary_key=True, comment="SHA-256 over the content"),
    text("verification_hash", "SHA-256 over content, exam, run keys, result hashes and grade"),
    Column("concept_id", ForeignKey("concepts.id"), nullable=False, comment="what is known"),
    Column("attempt_id", ForeignKey("attempts.id"), nullable=False, comment="the attempt that it came from"),
    Column("domain", ForeignKey("domains.slug"), nullable=False, comment="of the concept"),
    text("lineage", "of the concept; splits never separate it"),
    Column("teacher", AnyText, nullable=False, comment="model name at its endpoint"),
    Column("grade", SmallInteger, nullable=False, comment="depth of verification when it was stored, 1..5"),
    Column("quality", Double, nullable=False, comment="0..1"),
    Column("content", JSONB, nullable=False, comment="the whole crystal"),
    moment("created_at", "when it was crystallised", now=True),
    Column("search", TSVECTOR, Computed(_SEARCH, persisted=True), comment="title, statement, explanation and code"),
    CheckConstraint("grade BETWEEN 1 AND 5", name="grade"),
    Index("ix_crystals_concept_id", "concept_id"),
    Index("ix_crystals_attempt_id", "attempt_id"),
    Index("ix_crystals_domain", "domain"),
    Index("ix_crystals_lineage", "lineage", "teacher"),
    Index("ix_crystals_teacher", "teacher", "domain"),
    Index("ix_crystals_created_at", "created_at"),
    Index("ix_crystals_search", "search", postgresql_using="gin"),
    comment="What survived verification. Rows are never changed; a revocation is a row of its own.",
)

claims = Table(
    "claims",
    metadata,
    Column("crystal_id", ForeignKey("crystals.id"), nullable=False, comment="whose explanation makes it"),
    Column("position", Integer, nullable=False, comment="place in the lesson, from 0"),
    Column("text", AnyText, nullable=False, comment="one checkable sentence"),
    Column("expression", AnyText, nullable=False, comment="its check in Python, or empty"),
    text("status", "what execution said of it"),
    Column("result", AnyText, nullable=False, comment="canonical value or message"),
    PrimaryKeyConstraint("crystal_id", "position"),
    one_of("status", ("verified", "refuted", "unverified")),
    comment="The claims of each crystal.",
)

lineage = Table(
    "lineage",
    metadata,
    Column("child_id", ForeignKey("crystals.id"), nullable=False, comment="the composite"),
    Column("parent_id", ForeignKey("crystals.id"), nullable=False, comment="a crystal that it is made of"),
    text("kind", "dream, generalisation or translation"),
    PrimaryKeyConstraint("child_id", "parent_id"),
    CheckConstraint("child_id <> parent_id", name="not_itself"),
    Index("ix_lineage_parent_id", "parent_id"),
    comment="Which crystal was made of which; revocation follows it downwards.",
)

revocations = Table(
    "revocations",
    metadata,
    Column("crystal_id", ForeignKey("crystals.id"), primary_key=True, comment="what is no longer believed"),
    Column("reason", AnyText, nullable=False, comment="why"),
    Column("revoked_by", AnyText, nullable=False, comment="reverification, or the person at the command line"),
    Column("origin_id", ForeignKey("crystals.id"), comment="the ancestor that failed; null for one that failed itself"),
    moment("created_at", "when it was revoked", now=True),
    Index("ix_revocations_origin_id", "origin_id"),
    comment="Crystals that were withdrawn.",
)

standings = Table(
    "standings",
    metadata,
    Column("crystal_id", ForeignKey("crystals.id"), primary_key=True, comment="a crystal that is believed"),
    Column("checked_at", DateTime(timezone=True), nullable=False, comment="when it was stored or last replayed"),
    text("verdict", "of that check"),
    Column("place_id", ForeignKey("places.id"), comment="where that check ran"),
    moment("postponed_at", "when a replay broke its cell while others did not; null after a replay"),
    Column("weak", Boolean, nullable=False, comment="whether it was verified weakly, and so is due sooner"),
    one_of("verdict", VerdictKind),
    Index("ix_standings_checked_at", "checked_at"),
    Index("ix_standings_weak", "checked_at", postgresql_where=sql("weak")),
    Index("ix_standings_place_id", "place_id", "checked_at"),
    Index("ix_standings_failed", "checked_at", postgresql_where=sql("verdict IN ('refuted', 'flaky')")),
    comment="How each believed crystal stands: what re-verification chooses by. Gone once it is revoked.",
)

reverifications = Table(
    "reverifications",
    metadata,
    identity(),
    Column("crystal_id", ForeignKey("crystals.id"), nullable=False, comment="what was replayed"),
    text("verdict", "what the replay said"),
    text("decision", "what followed from it"),
    Column("detail", JSONB, nullable=False, comment="why it was due, and what differed, if anything"),
    moment("created_at", "when it was replayed", now=True),
    one_of("verdict", VerdictKind),
    one_of("decision", Decision),
    Index("ix_reverifications_crystal_id", "crystal_id", "created_at"),
    comment="Blind replays of stored crystals.",
)

ledger = Table(
    "ledger",
    metadata,
    Column(
        "leaf_index",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="place in the log, from 0, without gaps",
    ),
    text("kind", "what happened"),
    text("subject", "crystal id"),
    text("entry", "the leaf's data: what is hashed"),
    Column("leaf_hash", LargeBinary, nullable=False, comment="SHA-256(0x00 || entry), RFC 6962 section 2.1"),
    moment("created_at", "when it was appended", now=True),
    one_of("kind", ("crystal", "revocation")),
    CheckConstraint("leaf_index >= 0", name="leaf_index"),
    CheckConstraint("octet_length(leaf_hash) = 32", name="leaf_hash"),
    Index("ix_ledger_subject", "subject"),
    comment="The append-only Merkle log.",
)

ledger_heads = Table(
    "ledger_heads",
    metadata,
    Column("size", BigInteger, nullable=False, comment="leaves that the head covers"),
    text("key_id", "SHA-256 of the public key, hex"),
    Column("root", LargeBinary, nullable=False, comment="Merkle tree hash of those leaves"),
    Column("signed_at", BigInteger, nullable=False, comment="milliseconds since the epoch, as signed"),
    Column("public_key", LargeBinary, nullable=False, comment="Ed25519, 32 bytes"),
    Column("signature", LargeBinary, nullable=False, comment="Ed25519 over the head's statement"),
    moment("created_at", "when it was stored", now=True),
    PrimaryKeyConstraint("size", "key_id"),
    comment="Signed tree heads; two of one size only where the key was replaced.",
)
