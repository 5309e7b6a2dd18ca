"""What can be said about a database URL without connecting to it."""

import pytest

from ghostd.db.config import StoreConfig
from ghostd.db.engine import parse_url
from ghostd.errors import ConfigurationError


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_every_spelling_of_postgres_gets_our_driver(scheme: str) -> None:
    assert parse_url(f"{scheme}://me:secret@db.example/knowledge").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["mysql://me:hunter2@db/x", "hunter2", "sqlite:///hunter2", "://hunter2"])
def test_another_database_is_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.url") as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)


def test_a_password_is_not_in_the_repr_of_the_settings() -> None:
    assert "hunter2" not in repr(StoreConfig(url="postgresql://me:hunter2@db/x"))
