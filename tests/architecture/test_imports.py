"""What importing ghostd costs and pulls in."""

import json
import resource
import subprocess
import sys

HEAVY = ("torch", "docker", "pyarrow", "sqlalchemy", "httpx", "apscheduler", "procrastinate", "uvicorn")


def _python(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_the_command_line_imports_no_heavy_library() -> None:
    loaded = json.loads(_python("import json, sys, ghostd.cli.main; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []


def test_the_command_line_is_imported_in_less_than_a_third_of_a_second() -> None:
    """In CPU time, which other work on the machine does not lengthen; the interpreter's own start is left out."""

    def seconds(source: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _python(source)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds("import ghostd.cli.main") for _ in range(5)) - min(seconds("pass") for _ in range(5)) < 0.3


def test_importing_the_package_does_nothing() -> None:
    before, after = "before = set(sys.modules)", "print(json.dumps(len(set(sys.modules) - before)))"
    assert json.loads(_python(f"import json, sys; {before}; import ghostd; {after}")) == 1
