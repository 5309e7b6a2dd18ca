"""What `ghostd start` makes of its options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.cli.start import parse_duration
from ghostd.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("15m", 900), ("8h", 28_800), ("30d", 2_592_000), (" 2h ", 7200), ("0", 0)],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 m", "1h30m", "s", "1e3", "5w", "٣s", "5S"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigurationError, match="90s, 15m, 8h or 30d"):
        parse_duration(text)


@given(st.integers(0, 10**6), st.sampled_from("smhd"))
def test_longer_units_are_longer(number: int, unit: str) -> None:
    assert parse_duration(f"{number}{unit}") >= parse_duration(f"{number}s") == number
