"""One statement on a database, for tests that look behind the store's back."""

import psycopg
from sqlalchemy import URL


def execute(url: URL, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Run it outside any transaction; its rows."""
    with psycopg.connect(
        host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True
    ) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []
