"""What is counted while a dataset is written, for its card, manifest and report; it keeps no row."""

from collections import Counter
from dataclasses import dataclass, field

from ghostd.core.ledger import Frontier
from ghostd.core.split import Split
from ghostd.export.rows import Label
from ghostd.export.spool import Entry


@dataclass(slots=True)
class Tally:
    """Counts of crystals and rows, and the Merkle tree over the crystals."""

    tree: Frontier = field(default_factory=Frontier)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)  # (split, kind)
    labels: Counter[str] = field(default_factory=Counter)  # of rows
    crystals_by_split: Counter[str] = field(default_factory=Counter)
    grades: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)
    teachers: Counter[tuple[str, str]] = field(default_factory=Counter)  # (name, licence)

    def add(self, entry: Entry) -> None:
        """Count one crystal and its rows."""
        split = entry.crystal.split.value
        self.tree.append(entry.crystal.leaf())
        self.crystals_by_split[split] += 1
        self.grades[entry.crystal.grade] += 1
        self.domains[entry.domain] += 1
        self.teachers[entry.teacher, entry.teacher_licence] += 1
        for row in entry.rows:
            self.rows[split, row["kind"]] += 1
            self.labels[row["label"]] += 1

    @property
    def crystals(self) -> int:
        """How many crystals were counted."""
        return self.tree.size

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that hold anything, in their usual order."""
        return tuple(split for split in Split if self.crystals_by_split[split])

    def nested_rows(self) -> dict[str, dict[str, int]]:
        """Rows by split and kind, as the manifest and the report show them."""
        nested: dict[str, dict[str, int]] = {split.value: {} for split in self.splits}
        for (split, kind), count in sorted(self.rows.items()):
            nested[split][kind] = count
        return nested

    def row_count(self, label: Label | None = None) -> int:
        """All rows, or those with one label."""
        return self.labels.total() if label is None else self.labels[label]
