"""The README shows the tree as it is, every folder explains itself, and files stay short enough to read whole."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 320  # lines; catalogue files are prose and may be longer
EXPLAINED = ["ghostd", "ghostd/db", "ghostd/export", "ghostd/sandbox", "ghostd/student", "ghostd/teacher",
             "ghostd/textbook", "ghostd/verify", "sandbox", "migrations", "deploy", "bench", "tests", "trainer",
             "trainer/ops", "trainer/monitor", "trainer/evaluation", "trainer/probes", "trainer/memory",
             "trainer/export", "trainer/decode", "trainer/serve"]  # fmt: skip


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def tree_of_readme() -> set[str]:
    """The paths that the tree in the README names, from its indentation."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- tree -->\n```\n(.*?)```", text, re.DOTALL)
    assert block, "README.md has no <!-- tree --> block"
    paths: set[str] = set()
    folders: list[str] = []
    for line in block.group(1).splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name.rstrip("/")]
        paths.add("/".join(folders))
    return paths


def test_the_tree_in_the_readme_names_every_module() -> None:
    listed = tree_of_readme()
    modules = {str(path) for path in tracked("ghostd/*.py", "sandbox/*.py") if path.name != "__init__.py"}
    catalogue = {path for path in modules if path.startswith("ghostd/textbook/catalogue/")}
    assert sorted(modules - catalogue - listed) == []


def test_the_tree_in_the_readme_names_nothing_that_is_not_there() -> None:
    assert sorted(path for path in tree_of_readme() if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("folder", EXPLAINED)
def test_every_folder_explains_itself(folder: str) -> None:
    assert len((ROOT / folder / "README.md").read_text(encoding="utf-8")) > 200


def test_files_are_short_enough_to_read_whole() -> None:
    long = {
        str(path): lines
        for path in tracked("ghostd/*.py", "sandbox/*.py")
        if "catalogue" not in path.parts
        and (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert long == {}
