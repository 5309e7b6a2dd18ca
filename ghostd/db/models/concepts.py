"""Domains, concepts, the edges between concepts, and the sketches that find near-duplicates."""

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from ghostd.db.encoding import AnyText
from ghostd.db.models.base import identity, metadata, moment, one_of, text

STATES = ("open", "scheduled", "crystal", "failed", "duplicate")
EDGE_KINDS = ("prerequisite", "parent", "bridge")
SKETCH_KINDS = ("concept", "explanation", "code")

domains = Table(
    "domains",
    metadata,
    identity(),
    text("slug", "name on the command line"),
    Column("title", AnyText, nullable=False, comment="for people"),
    Column("description", AnyText, nullable=False, comment="what belongs to the field"),
    Column("reason", AnyText, nullable=False, comment="why the domain was added"),
    moment("created_at", "when it was added", now=True),
    UniqueConstraint("slug"),
    comment="Fields of knowledge.",
)

concepts = Table(
    "concepts",
    metadata,
    identity(),
    text("slug", "domain/name"),
    Column("domain", ForeignKey("domains.slug"), nullable=False, comment="slug of the domain"),
    text("name", "slug of the title, without the domain"),
    Column("title", AnyText, nullable=False, comment="unique within the domain"),
    Column("statement", AnyText, nullable=False, comment="what the function must return for which arguments"),
    Column("signature", AnyText, nullable=False, comment="one line of Python"),
    Column("parent", AnyText, nullable=False, comment="title of the more general concept, or empty"),
    Column("prerequisites", JSONB, nullable=False, comment="titles, in the order given"),
    text("lineage", "domain/slug of the parent, or of the concept itself; variants share it"),
    text("state", "where the concept stands", default="open"),
    Column("reason", AnyText, nullable=False, comment="why it was proposed"),
    Column("choice", JSONB, comment="why it was scheduled: the parts of its score"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="attempts opened so far"),
    moment("created_at", "when it was admitted", now=True),
    moment("changed_at", "when its state last changed", now=True),
    Column(
        "search",
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('english', left(title, 10000)), 'A')"
            " || setweight(to_tsvector('english', left(statement, 50000)), 'B')",
            persisted=True,
        ),
        comment="full-text index of title and statement",
    ),
    UniqueConstraint("slug"),
    one_of("state", STATES),
    Index("ix_concepts_open", "domain", "id", postgresql_where=sql("state = 'open'")),
    Index("ix_concepts_domain_state", "domain", "state"),
    Index("ix_concepts_name", "name"),
    Index("ix_concepts_lineage", "lineage", "state"),
    Index("ix_concepts_scheduled", "changed_at", postgresql_where=sql("state = 'scheduled'")),
    Index("ix_concepts_search", "search", postgresql_using="gin"),
    comment="Everything that was ever proposed and found new.",
)

concept_edges = Table(
    "concept_edges",
    metadata,
    Column("source_id", ForeignKey("concepts.id"), nullable=False, comment="the concept that needs the other"),
    text("kind", "what the edge means"),
    text("target", "slug of the other concept's title; it may not exist yet"),
    Column("title", AnyText, nullable=False, comment="the other concept's title, as it was written"),
    Column("target_id", ForeignKey("concepts.id"), comment="the other concept, once it is known"),
    Column("reason", AnyText, nullable=False, server_default="", comment="why the edge was drawn"),
    moment("created_at", "when it was drawn", now=True),
    PrimaryKeyConstraint("source_id", "kind", "target"),
    one_of("kind", EDGE_KINDS),
    Index("ix_concept_edges_dangling", "target", postgresql_where=sql("target_id IS NULL")),
    Index("ix_concept_edges_target_id", "target_id"),
    comment="The shape of the knowledge: prerequisites, parents and bridges.",
)

sketches = Table(
    "sketches",
    metadata,
    identity(),
    text("kind", "what was sketched"),
    text("owner", "concept slug or crystal id"),
    Column("text", AnyText, nullable=False, comment="normalised; exact Jaccard is computed from it"),
    Column("signature", LargeBinary, nullable=False, comment="MinHash: 128 little-endian unsigned 32-bit minima"),
    UniqueConstraint("kind", "owner"),
    one_of("kind", SKETCH_KINDS),
    comment="What near-duplicates are found by.",
)

sketch_bands = Table(
    "sketch_bands",
    metadata,
    text("kind", "as in sketches"),
    Column("hash", BigInteger, nullable=False, comment="of what must agree, one band and its number"),
    Column("sketch_id", ForeignKey("sketches.id", ondelete="CASCADE"), nullable=False, comment="whose band it is"),
    PrimaryKeyConstraint("kind", "hash", "sketch_id"),
    Index("ix_sketch_bands_sketch_id", "sketch_id"),
    comment="Locality-sensitive index: texts that share a band are proposed as duplicates.",
)
