"""What servers are set up with: the unit as systemd reads it, the images and the compose file as they are written."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from ghostd import settings
from ghostd.cli.main import app
from ghostd.daemon.config import DaemonConfig
from ghostd.errors import AlreadyRunning, ConfigurationError

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DROP_INS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.conf"))

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze (package systemd)"
)


def unit(folder, *drop_ins):
    """The unit with its program replaced by one that exists here, and the drop-ins beside it."""
    text = (DEPLOY / "systemd/ghostd.service").read_text()
    path = folder / "ghostd.service"
    path.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text))
    for name in drop_ins:
        target = folder / "ghostd.service.d" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text((DEPLOY / "systemd" / name).read_text())
    return path


def directives():
    lines = (DEPLOY / "systemd/ghostd.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def seconds(span):
    return int(span) if span.isdigit() else {"15min": 900}[span]


@needs_systemd
@pytest.mark.parametrize("drop_ins", [(), *((name,) for name in DROP_INS)])
def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path, drop_ins):
    path = unit(tmp_path, *drop_ins)
    done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False, timeout=30)
    about_us = [line for line in done.stderr.splitlines() if "ghostd" in line]
    assert about_us == []
    assert done.returncode == 0, done.stderr


@needs_systemd
@pytest.mark.parametrize(("drop_ins", "worst"), [((), 1.6), (("bubblewrap.conf",), 2.8)])
def test_the_service_is_exposed_as_little_as_the_readme_says(tmp_path, drop_ins, worst):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit(tmp_path, *drop_ins)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout).group(1))
    assert exposure <= worst
    readme = (DEPLOY / "README.md").read_text()
    assert (f"costs score instead ({exposure})" if drop_ins else f"exposure {exposure} by") in readme


def test_the_watchdog_and_the_stop_leave_the_daemon_its_time():
    found = directives()
    assert found["Type"] == "notify"
    assert found["KillMode"] == "mixed"
    assert seconds(found["WatchdogSec"]) >= 30
    assert seconds(found["TimeoutStopSec"]) >= DaemonConfig().grace_seconds + 30
    assert seconds(found["TimeoutStartSec"]) >= 600


def test_what_cannot_mend_itself_is_not_restarted():
    codes = directives()["RestartPreventExitStatus"].split()
    assert codes == [str(error.exit_code) for error in (ConfigurationError, AlreadyRunning)]


def test_the_credentials_of_the_unit_are_those_that_the_settings_read():
    text = (DEPLOY / "systemd/ghostd.service").read_text()
    assert set(re.findall(r"LoadCredential=(\w+):", text)) == set(settings._CREDENTIALS)


def test_the_example_settings_are_the_defaults(monkeypatch):
    for name in ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    example = settings.load(DEPLOY / "ghostd.toml.example")
    assert settings.describe(example) == settings.describe(settings.Settings())


def test_the_example_names_every_section_and_its_commented_settings_exist(tmp_path):
    text = (DEPLOY / "ghostd.toml.example").read_text()
    sections = set(settings.Settings.model_fields) - {"data_dir"}
    assert sections - set(tomllib.loads(text)) == {"textbook"}  # a teacher for trials has no place on a server
    uncommented = re.sub(r"(?m)^# (?=\w+ = )", "", text)
    assert uncommented != text
    (tmp_path / "ghostd.toml").write_text(uncommented)
    assert settings.load(tmp_path / "ghostd.toml").teacher.budget.daily_tokens == 5_000_000


def instructions(name):
    text = (DEPLOY / name).read_text().replace("\\\n", " ")
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))
    return [(keyword, rest) for keyword, rest in lines]


def test_the_image_runs_as_an_ordinary_user_from_a_pinned_python():
    found = instructions("Dockerfile")
    users = [rest for keyword, rest in found if keyword == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}
    assert [keyword for keyword, _ in found].index("USER") < [keyword for keyword, _ in found].index("ENTRYPOINT")
    assert all(rest.split()[0] == "python:3.11-slim" for keyword, rest in found if keyword == "FROM")


def test_the_image_copies_all_that_the_wheel_is_made_of_and_nothing_that_is_missing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    travelling = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    copied = [
        rest.split() for keyword, rest in instructions("Dockerfile") if keyword == "COPY" and "--from" not in rest
    ]
    sources = {source for *several, _ in copied for source in several}
    assert {"ghostd", *travelling} <= sources
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_compose_file_keeps_the_engine_and_the_database_off_the_network():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services, networks = compose["services"], compose["networks"]
    assert "ports" not in str(services)
    assert networks["database"] == networks["engine"] == {"internal": True}
    mounting = [name for name, one in services.items() if "docker.sock" in str(one.get("volumes"))]
    assert mounting == ["engine"]
    assert not any(one.get("privileged") for one in services.values())
    for name in ("engine", "ghostd"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True
    assert all(":" in one["image"] or "build" in one for one in services.values())


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/_ping", True),
        ("GET", "/version", True),
        ("GET", "/v1.41/images/ghostd-sandbox/json", True),
        ("GET", "/v1.41/containers/json", True),
        ("POST", "/v1.41/containers/create", True),
        ("POST", "/v1.41/containers/0123abc/attach", True),
        ("POST", "/v1.41/containers/0123abc/start", True),
        ("DELETE", "/v1.41/containers/0123abc", True),
        ("GET", "/v1.41/info", True),
        ("GET", "/v1.41/containers/0123abc/archive", False),
        ("POST", "/v1.41/containers/0123abc/exec", False),
        ("POST", "/v1.41/images/create", False),
        ("POST", "/v1.41/build", False),
        ("POST", "/v1.41/containers/../images/create", False),
        ("GET", "/v1.41/secrets", False),
        ("DELETE", "/v1.41/images/debian", False),
        ("POST", "/v1.41/swarm/init", False),
    ],
)
def test_the_engine_hears_only_what_cells_need(method, path, allowed):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    command = compose["services"]["engine"]["command"]
    (pattern,) = (one.split("=", 1)[1] for one in command if one.startswith(f"-allow{method}="))
    assert bool(re.fullmatch(pattern, path)) is allowed


def test_the_compose_secrets_reach_the_settings(tmp_path, monkeypatch):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    secrets = set(compose["services"]["ghostd"]["secrets"])
    assert secrets == set(settings._CREDENTIALS)
    for name in secrets:
        (tmp_path / name).write_text(f"the value of {name}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    loaded = settings.load()
    assert loaded.database.url.get_secret_value() == "the value of ghostd_database_url"
    assert loaded.teacher.api_key.get_secret_value() == "the value of ghostd_teacher_api_key"
    (directory,) = (rest for keyword, rest in instructions("Dockerfile") if keyword == "ENV")
    assert "CREDENTIALS_DIRECTORY=/run/secrets" in directory


def test_the_readme_lists_every_file_and_names_commands_that_exist():
    text = (DEPLOY / "README.md").read_text()
    files = [path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file()]
    assert [name for name in files if name != "README.md" and f"`{name}`" not in text] == []
    command = typer.main.get_command(app)
    named = re.findall(r"(?m)bin/ghostd(?: --data-dir \S+)? (\w+)|exec ghostd ghostd (\w+)", text)
    assert len(named) >= 4
    assert {first or second for first, second in named} <= set(command.commands)
