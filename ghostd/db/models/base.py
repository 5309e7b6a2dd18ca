"""What every table definition uses: the metadata with its naming rule and a few column makers."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, MetaData, Text, func

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def identity() -> Column[int]:
    """A bigint primary key that the database counts."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True, comment="row number")


def moment(name: str, comment: str, *, now: bool = False) -> Column[Any]:
    """A point in time with its zone; with `now` the database fills it in and it is never null."""
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now(), comment=comment)
    return Column(name, DateTime(timezone=True), comment=comment)


def text(name: str, comment: str, *, default: str | None = None) -> Column[str]:
    """A text column that is never null, for strings that ghostd writes itself."""
    return Column(name, Text, nullable=False, server_default=default, comment=comment)


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """The column holds one of these words."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)
