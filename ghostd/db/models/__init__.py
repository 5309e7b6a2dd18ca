"""The tables, one module per part of the domain; `metadata` holds them all. Migrations are tested equal to it."""

from ghostd.db.models import attempts, concepts, crystals, operations  # noqa: F401 - importing registers the tables
from ghostd.db.models.base import metadata as metadata
