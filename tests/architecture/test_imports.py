"""What importing ghostd costs and pulls in."""

import json
import subprocess
import sys
import time

HEAVY = ("torch", "docker", "pyarrow", "sqlalchemy", "httpx", "apscheduler", "procrastinate", "uvicorn")


def _python(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_the_command_line_imports_no_heavy_library() -> None:
    loaded = json.loads(_python("import json, sys, ghostd.cli.main; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []


def test_the_command_line_is_imported_in_less_than_a_third_of_a_second() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        _python("import ghostd.cli.main")
        return time.perf_counter() - began

    def floor() -> float:
        began = time.perf_counter()
        _python("pass")
        return time.perf_counter() - began

    best = min(seconds() for _ in range(5)) - min(floor() for _ in range(5))
    assert best < 0.3


def test_importing_the_package_does_nothing() -> None:
    before, after = "before = set(sys.modules)", "print(json.dumps(len(set(sys.modules) - before)))"
    assert json.loads(_python(f"import json, sys; {before}; import ghostd; {after}")) == 1
