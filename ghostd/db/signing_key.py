"""The key that signs the ledger's heads: `ledger.key` in the data directory; what is signed is decided elsewhere."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ghostd.core.signed import key_id
from ghostd.errors import ConfigurationError

PRIVATE = "ledger.key"  # PKCS#8 in PEM, mode 0600
PUBLIC = "ledger.pub"  # SubjectPublicKeyInfo in PEM: to be given to whoever audits


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key pair (RFC 8032)."""

    seed: bytes  # 32 bytes, secret
    public_key: bytes  # 32 bytes

    def __repr__(self) -> str:
        """The name of the key, without its secret."""
        return f"SigningKey({self.key_id[:12]})"

    @property
    def key_id(self) -> str:
        """What names the key."""
        return key_id(self.public_key)

    def sign(self, statement: str) -> bytes:
        """64 bytes; the same every time."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(statement.encode())


def load_or_create(data_directory: Path, *, signed_before: str) -> SigningKey:
    """The key of this data directory; a new one only while nothing was ever signed.

    `signed_before` is the key id of the ledger's newest head, '' when it has none. Raises ConfigurationError when the
    key is lost, unreadable, open to others, or not the one that signed before.
    """
    path = data_directory / PRIVATE
    advice = (
        f"restore {path} from a backup, or begin with a new key by `ghostd ledger new-key`: "
        "whoever audits then has to be given the new public key"
    )
    try:
        key = _read(path)
    except FileNotFoundError:
        if signed_before:
            raise ConfigurationError(
                f"The ledger's signing key is lost: its newest head was signed by {signed_before[:12]}; {advice}."
            ) from None
        return create(data_directory)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); give its owner the right to.") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is no Ed25519 key in PEM; {advice}.") from error
    if signed_before not in {"", key.key_id}:
        raise ConfigurationError(
            f"{path} is the key {key.key_id[:12]}, but the ledger's newest head was signed by {signed_before[:12]}; "
            f"{advice}."
        )
    return key


def create(data_directory: Path) -> SigningKey:
    """A new key, on the disk before it is used; one that was there is kept as `ledger.key.<its id>`.

    Raises ConfigurationError when the data directory cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    try:
        data_directory.mkdir(parents=True, exist_ok=True)
        _keep_old(data_directory / PRIVATE)
        text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_aside(data_directory / PRIVATE, text, 0o600)
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write_aside(data_directory / PUBLIC, text, 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"The ledger's key cannot be written to {data_directory} ({error.strerror}); choose another --data-dir."
        ) from error
    return SigningKey(private.private_bytes_raw(), public.public_bytes_raw())


def _read(path: Path) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path} is open to other users; `chmod 600 {path}` closes it.")
    private = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError("another kind of key")  # noqa: TRY004 - what the caller translates
    return SigningKey(private.private_bytes_raw(), private.public_key().public_bytes_raw())


def _keep_old(path: Path) -> None:
    """Nothing that may be somebody's only copy is ever overwritten."""
    if not path.exists():
        return
    try:
        name = _read(path).key_id[:12]
    except (ValueError, ConfigurationError):
        name = f"unreadable-{path.stat().st_mtime_ns}"
    path.rename(path.with_name(f"{path.name}.{name}"))


def _write_aside(path: Path, content: bytes, mode: int) -> None:
    aside = path.with_name(f"{path.name}.new-{os.getpid()}")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
