"""Settings: who wins, what is refused and how it is named, and that secrets stay hidden."""

import json
from pathlib import Path

import pytest

from ghostd.core.crystal import Grade
from ghostd.errors import ConfigurationError
from ghostd.settings import default_data_dir, describe, load


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor files of whoever runs the tests."""
    import os

    for name in os.environ:
        if name.startswith(("GHOSTD_", "XDG_")) or name in {"STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ghostd.toml"
    path.write_text(
        '[teacher]\nmodel = "from-file"\napi_key = "file-key"\nlicence = "MIT"\n\n[versions]\nkeep = 7\n',
        encoding="utf-8",
    )
    return path


def refusal(config: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(config)
    return str(caught.value)


def test_everything_has_a_default() -> None:
    settings = load()
    assert settings.teacher.base_url == ""
    assert settings.export.min_grade is Grade.TESTED
    assert settings.data_dir.name == "ghostd"


def test_the_environment_wins_over_the_file_setting_by_setting(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_TEACHER__MODEL", "from-environment")
    settings = load(config)
    assert (settings.teacher.model, settings.teacher.licence, settings.versions.keep) == ("from-environment", "MIT", 7)


def test_a_credential_wins_over_environment_and_file(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GHOSTD_TEACHER__API_KEY", "environment-key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "ghostd_teacher_api_key").write_text("credential-key\n", encoding="utf-8")
    (tmp_path / "ghostd_database_url").write_text("postgresql://somewhere/db\n", encoding="utf-8")
    settings = load(config)
    assert settings.teacher.api_key is not None
    assert settings.teacher.api_key.get_secret_value() == "credential-key"
    assert settings.database.url.get_secret_value() == "postgresql://somewhere/db"
    assert settings.teacher.model == "from-file"


def test_the_command_line_wins_over_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_DATA_DIR", str(tmp_path / "environment"))
    assert load(data_dir=tmp_path / "option").data_dir == tmp_path / "option"
    assert load(data_dir=None).data_dir == tmp_path / "environment"


def test_a_file_of_an_earlier_load_is_forgotten(config: Path) -> None:
    assert load(config).teacher.model == "from-file"
    assert load().teacher.model == ""


def test_the_users_own_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ghostd").mkdir()
    (tmp_path / "ghostd" / "ghostd.toml").write_text("[curiosity]\nbacklog = 5\n", encoding="utf-8")
    assert load().curiosity.backlog == 5


def test_systemds_state_directory_is_the_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/ghostd:/var/lib/other")
    assert load().data_dir == default_data_dir() == Path("/var/lib/ghostd")


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "ghostd.toml"
    path.write_text('[teacher]\nmodel = "a"\nbase_url = \n', encoding="utf-8")
    assert str(path) in refusal(path) and "line 3" in refusal(path)


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ghostd.toml"
    assert str(path) in refusal(path) and "--config" in refusal(path)
    path.write_bytes(b"\xff\xfe\x00")
    assert str(path) in refusal(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[teacher]\nmodell = 'a'\n", "teacher.modell"),
        ("[teachers]\nmodel = 'a'\n", "teachers"),
        ("[curiosity]\nbacklog = 0\n", "curiosity.backlog"),
        ("[versions]\nkeep = 'many'\n", "versions.keep"),
        ("[export]\nmin_grade = 'shiny'\n", "export.min_grade"),
        ("teacher = 'model'\n", "teacher"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "ghostd.toml"
    path.write_text(text, encoding="utf-8")
    told = refusal(path)
    assert f" {named}: " in told
    assert str(path) in told and "ghostd config show" in told


def test_a_wrong_variable_is_named_by_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_DAEMON__GRACE_SECONDS", "soon")
    assert "daemon.grace_seconds" in refusal()


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_TEACHER__MODELL", "a")
    assert "teacher.modell" in refusal()
    monkeypatch.delenv("GHOSTD_TEACHER__MODELL")
    monkeypatch.setenv("GHOSTD_TEACHR__MODEL", "a")
    assert "GHOSTD_TEACHR__MODEL" in refusal()


def test_a_home_directory_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_DATA_DIR", "~/knowledge")
    assert load().data_dir == tmp_path / "home" / "knowledge"


def test_secrets_are_masked_wherever_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_TEACHER__API_KEY", "sk-very-secret")
    monkeypatch.setenv("GHOSTD_DATABASE__URL", "postgresql://me:geheim@host/db")
    settings = load()
    shown = json.dumps(describe(settings)) + repr(settings) + str(settings)
    assert "sk-very-secret" not in shown and "geheim" not in shown
    assert describe(settings)["teacher"]["api_key"] == "**********"


def test_a_refusal_never_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GHOSTD_TEACHER__BASE_URL", "http://me:geheim@host/v1")
    told = refusal()
    assert "teacher.base_url" in told and "geheim" not in told


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().data_dir = Path("/elsewhere")
