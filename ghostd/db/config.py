"""What the operator may say about the database; it connects to nothing."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class StoreConfig(BaseModel):
    """The `database` section of the settings. Without a URL ghostd runs its own Postgres in the data directory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(
        SecretStr(""), description="postgresql://user:password@host/database; empty: the embedded Postgres"
    )
    pool_size: int = Field(10, ge=1, le=200, description="connections that one process keeps at most")
    connect_timeout_seconds: float = Field(4.0, ge=2.0, le=60.0, description="wait for one connection attempt")
    statement_timeout_seconds: float = Field(60.0, gt=0, description="longest single statement")
    lock_timeout_seconds: float = Field(30.0, gt=0, description="longest wait for a row or table lock")
