"""All settings: defaults, then ghostd.toml, then GHOSTD_ variables, then systemd credentials; read once, by the CLI."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from platformdirs import site_config_path, user_config_path, user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ghostd.cycles.config import (
    CalibrationConfig,
    CuriosityConfig,
    DistillationConfig,
    ReverificationConfig,
    SelfDistillationConfig,
    TrainingConfig,
    VersionsConfig,
)
from ghostd.daemon.config import DaemonConfig
from ghostd.db.config import StoreConfig
from ghostd.errors import ConfigurationError
from ghostd.export.config import ExportConfig
from ghostd.sandbox.config import SandboxConfig
from ghostd.teacher.config import CorroboratorConfig, TeacherConfig
from ghostd.textbook.config import TextbookConfig
from ghostd.verify.config import VerificationConfig

_CREDENTIALS = {  # systemd credential -> where it belongs
    "ghostd_teacher_api_key": ("teacher", "api_key"),
    "ghostd_corroborator_api_key": ("corroborator", "api_key"),
    "ghostd_database_url": ("database", "url"),
}


class LogConfig(BaseModel):
    """What is logged, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: str = Field("info", pattern="^(debug|info|warning|error)$")
    json_lines: bool = False
    """One JSON object per line instead of text."""


def default_data_dir() -> Path:
    """Systemd's state directory where there is one, else the user's data directory."""
    state = os.environ.get("STATE_DIRECTORY", "")
    return Path(state.split(":")[0]) if state else user_data_path("ghostd")


class Settings(BaseSettings):
    """Everything that can be set. Each section is documented beside the part it configures."""

    model_config = SettingsConfigDict(
        env_prefix="GHOSTD_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where ghostd keeps everything."""
    log: LogConfig = LogConfig()
    teacher: TeacherConfig = TeacherConfig()
    corroborator: CorroboratorConfig = CorroboratorConfig()
    textbook: TextbookConfig = TextbookConfig()
    database: StoreConfig = StoreConfig()
    sandbox: SandboxConfig = SandboxConfig()
    verification: VerificationConfig = VerificationConfig()
    curiosity: CuriosityConfig = CuriosityConfig()
    distillation: DistillationConfig = DistillationConfig()
    reverification: ReverificationConfig = ReverificationConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    export: ExportConfig = ExportConfig()
    versions: VersionsConfig = VersionsConfig()
    training: TrainingConfig = TrainingConfig()
    self_distillation: SelfDistillationConfig = SelfDistillationConfig()
    daemon: DaemonConfig = DaemonConfig()

    @field_validator("data_dir")
    @classmethod
    def _at_home(cls, value: Path) -> Path:
        return value.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, credentials, environment, file: the first that names a setting wins."""
        return (
            init_settings,
            _Document(settings_cls, _credentials()),
            env_settings,
            _Document(settings_cls, _toml(_config_file)),
        )


class _Document(PydanticBaseSettingsSource):
    """Settings that were read from somewhere as one nested mapping."""

    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - pydantic's signature
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


_config_file: Path | None = None


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings. Raises ConfigurationError that names the file, the line or the setting."""
    global _config_file  # noqa: PLW0603 - pydantic builds its sources from the class alone
    _config_file = config or _usual_config()
    if config is not None and not config.is_file():
        raise ConfigurationError(f"There is no settings file {config}; name an existing one with --config.")
    _refuse_unknown_variables()
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        where = f" (settings file {_config_file})" if _config_file else ""
        raise ConfigurationError(f"Wrong settings{where}: {problems}. `ghostd config show` lists them all.") from error
    finally:
        _config_file = None


def describe(settings: Settings) -> dict[str, Any]:
    """The settings in force as plain data; secrets are masked."""
    return json.loads(settings.model_dump_json())  # type: ignore[no-any-return]  # an object, by construction


def _usual_config() -> Path | None:
    candidates = (
        user_config_path("ghostd") / "ghostd.toml",
        site_config_path("ghostd") / "ghostd.toml",
        Path("/etc/ghostd/ghostd.toml"),
    )
    return next((path for path in candidates if path.is_file()), None)


def _refuse_unknown_variables() -> None:
    """A misspelt section would be passed over in silence; what stands below a section is refused by its model."""
    for name in os.environ:
        prefix, _, rest = name.lower().partition("_")
        if prefix == "ghostd" and rest.split("__", maxsplit=1)[0] not in Settings.model_fields:
            known = ", ".join(f"GHOSTD_{field.upper()}" for field in Settings.model_fields)
            raise ConfigurationError(f"The environment variable {name} is no setting; they begin with one of {known}.")


def _toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error


def _credentials() -> dict[str, Any]:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    values: dict[str, Any] = {}
    for name, (section, setting) in _CREDENTIALS.items():
        path = Path(folder) / name
        try:
            if folder and path.is_file():
                values.setdefault(section, {})[setting] = path.read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The credential {path} cannot be read ({error}); check its owner.") from error
    return values
