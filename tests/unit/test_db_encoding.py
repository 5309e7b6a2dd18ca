"""The mapping that lets Postgres hold any Python string."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.db.encoding import dumps, escape, loads, restore

_ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\x00\ud800\udfff\ue0000041\\u"))


@given(_ANY_TEXT)
def test_any_text_survives(text: str) -> None:
    assert restore(escape(text)) == text


@given(_ANY_TEXT)
def test_escaped_text_is_what_postgres_accepts(text: str) -> None:
    escaped = escape(text)
    assert "\x00" not in escaped
    escaped.encode("utf-8")


@given(
    st.recursive(
        _ANY_TEXT | st.integers() | st.none() | st.booleans(),
        lambda one: st.lists(one) | st.dictionaries(_ANY_TEXT, one),
    )
)
def test_any_document_survives_as_json_without_nul_and_lone_surrogates(document: object) -> None:
    written = dumps(document)
    written.encode("utf-8")
    assert "\x00" not in json.dumps(json.loads(written), ensure_ascii=False).replace("\\\\", "")
    assert "\\u0000" not in written.replace("\\\\", "")
    assert loads(written) == document


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_does_not_know_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"value": value})
