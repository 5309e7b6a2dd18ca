"""The command line as a process and as a tree: help, exit codes, JSON, and one sentence for each error."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ghostd import errors
from ghostd.cli import main
from ghostd.errors import GhostdError

COMMANDS = {
    "start", "stop", "status", "doctor", "export", "datasets", "audit", "ledger", "revoke", "search", "show",
    "why", "verify", "calibration", "config", "db", "teacher", "train", "eval", "ask", "serve", "dream",
}  # fmt: skip
EVERY_ERROR = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.fixture(autouse=True)
def no_settings_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_the_help_names_every_command_and_what_it_does() -> None:
    shown = CliRunner().invoke(main.app, ["--help"]).output
    listed = dict(re.findall(r"^  (\w+) {2,}(\S.*)$", shown, re.MULTILINE))
    assert set(listed) == COMMANDS
    assert all(len(sentence) > 5 for sentence in listed.values())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_its_options(command: str) -> None:
    done = CliRunner().invoke(main.app, [command, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.output


def test_the_help_tells_the_exit_code_of_every_error() -> None:
    shown = " ".join(CliRunner().invoke(main.app, ["--help"]).output.split())
    told = {int(number) for number in re.findall(r"(\d+) [a-z]", shown.partition("Exit codes:")[2])}
    assert told == {0, *(kind.exit_code for kind in EVERY_ERROR)}


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_becomes_one_sentence_and_its_exit_code(
    kind: type[GhostdError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing = typer.Typer()

    @refusing.command()
    def refuse() -> None:
        raise kind

    monkeypatch.setattr(main, "app", refusing)
    monkeypatch.setattr(sys, "argv", ["ghostd"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    shown = capsys.readouterr()
    assert ended.value.code == kind.exit_code
    assert shown.err == f"ghostd: {inspect.getdoc(kind)}\n"
    assert shown.out == ""


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_an_error_that_is_told_nothing_says_what_it_is(kind: type[GhostdError]) -> None:
    assert str(kind()) == inspect.getdoc(kind)
    assert str(kind("something else")) == "something else"


def test_the_documented_tree_of_errors_is_the_real_one() -> None:
    tree = inspect.getdoc(errors) or ""
    drawn = dict(re.findall(r"(\w+) +exit (\d+)", tree))
    assert set(re.findall(r"[├└]── (\w+)", tree)) | {"GhostdError"} == {kind.__name__ for kind in EVERY_ERROR}
    assert all(getattr(errors, name).exit_code == int(code) for name, code in drawn.items())


def test_settings_are_printed_as_json_and_as_yaml_with_secrets_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GHOSTD_TEACHER__API_KEY", "sk-very-secret")
    as_json = CliRunner().invoke(main.app, ["--data-dir", str(tmp_path), "config", "show", "--json"])
    as_yaml = CliRunner().invoke(main.app, ["config", "show", "--data-dir", str(tmp_path)])
    assert json.loads(as_json.output)["data_dir"] == str(tmp_path)
    assert f"data_dir: {tmp_path}" in as_yaml.output
    assert "sk-very-secret" not in as_json.output + as_yaml.output


def test_status_is_valid_json_even_before_the_first_start(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    done = CliRunner().invoke(main.app, ["status", "--json", "--data-dir", str(nowhere)])
    assert done.exit_code == 0
    assert json.loads(done.output) == {"daemon": {"running": False}, "data_dir": str(nowhere), "knowledge": None}
    assert not nowhere.exists(), "looking leaves nothing behind"


def test_there_is_nothing_to_stop_where_nothing_runs(tmp_path: Path) -> None:
    done = CliRunner().invoke(main.app, ["stop", "--data-dir", str(tmp_path)])
    assert isinstance(done.exception, errors.NotRunning)
    assert str(tmp_path) in str(done.exception)


@pytest.mark.parametrize("arguments", [["unheard-of"], ["start", "--until-crystals", "-1"], ["show"]])
def test_wrong_usage_has_the_usual_exit_code(arguments: list[str]) -> None:
    assert CliRunner().invoke(main.app, arguments).exit_code == 2


@pytest.mark.parametrize("option", ["", "--json"])
def test_a_reader_that_goes_away_is_no_error(option: str) -> None:
    command = f"{sys.executable} -m ghostd.cli.main config show {option} | true"
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
