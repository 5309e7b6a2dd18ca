"""A concept: one specific thing in a field of knowledge, stated so that code can show it."""

import re
import unicodedata
from dataclasses import dataclass

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_ENTRY = re.compile(r"^\s*def\s+([A-Za-z_]\w*)\s*\(")


def slugify(text: str) -> str:
    """ASCII lower-case words joined by '-'; at most 80 characters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_WORD.sub("-", plain).strip("-")[:80].rstrip("-")


@dataclass(frozen=True, slots=True)
class Domain:
    """A field of knowledge."""

    slug: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing to learn. `statement` and `signature` are all that lesson and exam share."""

    domain: str  # slug of the domain
    title: str  # unique within the domain, e.g. "Euler's totient"
    statement: str  # self-contained: what the function must return for which arguments
    signature: str  # one line of Python, e.g. "def totient(n: int) -> int"
    parent: str = ""  # title of the more general concept; variants of one parent share a lineage
    prerequisites: tuple[str, ...] = ()  # titles

    @property
    def slug(self) -> str:
        """The concept's name in the store and on the command line: domain/title."""
        return f"{self.domain}/{slugify(self.title)}"

    @property
    def lineage(self) -> str:
        """Variants of one parent share it, so that a split never separates them."""
        return f"{self.domain}/{slugify(self.parent or self.title)}"

    @property
    def entry(self) -> str:
        """The name of the function that the lesson's code defines; '' when the signature is not one."""
        found = _ENTRY.match(self.signature)
        return found.group(1) if found else ""

    def log_context(self) -> dict[str, str]:
        """The fields that identify the concept in a log line."""
        return {"concept": self.slug}
