"""Attacks from inside the language: whatever the code does to its own interpreter, its judge has another one."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

from ghostd.core.evidence import ExitClass

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

WRONG = "def f(n):\n    return 5\n"
TRICKS = {
    "reduce": "class R:\n    def __reduce__(self):\n        return (eval, ('9',))\ndef f(n):\n    return R()\n",
    "class_property": "class R:\n    __class__ = property(lambda self: int)\n    __eq__ = lambda self, other: True\ndef f(n):\n    return R()\n",
    "equal_by_metaclass": "class M(type):\n    __eq__ = lambda self, other: True\n    __hash__ = type.__hash__\nclass R(metaclass=M):\n    pass\ndef f(n):\n    return R\n",
    "bool_subclass": "class R(float):\n    __eq__ = lambda self, other: True\n    __ne__ = lambda self, other: False\ndef f(n):\n    return R(0)\n",
    "dict_subclass": "class R(dict):\n    __eq__ = lambda self, other: True\ndef f(n):\n    return R()\n",
    "answer_by_repr": "class R:\n    __repr__ = lambda self: '9'\n    __int__ = __index__ = lambda self: 9\ndef f(n):\n    return R()\n",
    "assertion_error_patched": f"import builtins\nbuiltins.AssertionError = KeyError\n{WRONG}",
    "compare_patched": f"import operator, builtins\noperator.eq = lambda a, b: True\nbuiltins.all = builtins.any = lambda x: True\n{WRONG}",
    "unittest_patched": f"import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None\n{WRONG}",
    "modules_emptied": f"import sys\nsys.modules.clear()\n{WRONG}",
    "modules_replaced": f"import sys, types\nfor name in ('canonical', 'channel', 'examiner', 'subject', 'json'):\n    sys.modules[name] = types.ModuleType(name)\n{WRONG}",
    "frames_walked": (
        "import sys\ndef f(n):\n    frame = sys._getframe()\n    while frame:\n        for name in list(frame.f_globals):\n"
        "            if name in ('check', 'encode', 'decode', 'proxy'):\n                frame.f_globals[name] = lambda *a, **k: '9'\n"
        "        frame = frame.f_back\n    return 5\n"
    ),
    "traced": f"import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n{WRONG}",
    "at_exit": f"import atexit, os\natexit.register(os._exit, 0)\n{WRONG}",
    "excepthook": f"import sys\nsys.excepthook = lambda *a: None\nsys.unraisablehook = lambda *a: None\n{WRONG}",
    "objects_walked": (
        "import gc\nfor thing in gc.get_objects():\n    if isinstance(thing, dict) and 'MESSAGE_CAP' in thing:\n"
        f"        thing['encode'] = lambda v: '9'\n        thing['decode'] = lambda v: ((), {{}})\n{WRONG}"
    ),
    "small_integers_scribbled": (
        "import ctypes\nctypes.memmove(id(5) + 24, id(9) + 24, 4)\n" + WRONG.replace("5", "2 + 3 - 0")
    ),
    "imports_hooked": f"import sys\nsys.meta_path.insert(0, type('H', (), {{'find_spec': lambda *a: None}})())\nsys.path[:] = []\n{WRONG}",
    "code_replaced": (
        "import sys\nsubject = sys.modules.get('subject')\n"
        "if subject:\n    subject._serve.__code__ = (lambda link, function, value_cap: None).__code__\n" + WRONG
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
async def test_a_wrong_answer_never_passes_for_a_right_one(strike, name):
    outcome = await strike(TRICKS[name], calls=(), checks=("assert f(3) == 9", "assert f(4) == 16"))
    if name == "small_integers_scribbled":
        # the code's own 5 is now a 9: that is the value that it returns, once; it is wrong all the same
        assert not outcome.checks[1].passed
    else:
        assert not any(check.passed for check in outcome.checks)
    assert not outcome.ok


async def test_an_audit_hook_of_the_code_s_own_stops_its_own_run_only(attack):
    code = "import os, sys\ntry:\n    sys.addaudithook(lambda *a: 1 / 0)\nexcept BaseException:\n    pass\ndef f():\n    return 1\n"
    assert await attack(code) in (1, "error")


async def test_an_exception_whose_class_lies_about_itself_is_an_error(strike):
    code = (
        "class M(type):\n    @property\n    def __name__(cls):\n        raise SystemExit(0)\n"
        "class X(Exception, metaclass=M):\n    pass\ndef f():\n    raise X()\n"
    )
    outcome = await strike(code, checks=("assert f() == 1",))
    assert outcome.exit_class is ExitClass.ERROR
    assert not outcome.checks[0].passed


async def test_an_exception_with_a_name_of_megabytes_passes_nothing(strike):
    outcome = await strike("def f():\n    raise type('x' * 5_000_000, (Exception,), {})\n", checks=("assert f() == 1",))
    assert not outcome.ok
    assert not outcome.checks[0].passed


async def test_a_message_that_no_json_reader_takes_is_a_verdict_and_no_outage(strike):
    outcome = await strike("def f():\n    raise ValueError('\\ud800 \\0')\n")
    assert (outcome.exit_class, outcome.exception_type) == (ExitClass.ERROR, "ValueError")
    assert "ud800" in outcome.exception_message


async def test_another_locale_or_encoding_does_not_change_what_leaves(attack):
    code = (
        "import locale, sys\nfor name in ('C', 'de_DE.UTF-8', 'tr_TR.UTF-8'):\n    try:\n        locale.setlocale(locale.LC_ALL, name)\n"
        "    except locale.Error:\n        pass\nsys.set_int_max_str_digits(0)\ndef f():\n    return [1.5, 'ıİ', 10 ** 30]\n"
    )
    assert await attack(code) == [1.5, "ıİ", 10**30]


async def test_a_value_that_changes_while_it_is_read_is_one_value(attack):
    code = (
        "import threading\nshared = list(range(1000))\ndef turn():\n    while True:\n        shared.reverse()\n"
        "def f():\n    threading.Thread(target=turn, daemon=True).start()\n    return shared\n"
    )
    assert len(await attack(code)) == 1000


async def test_the_environment_s_secrets_are_nowhere_in_memory(attack, monkeypatch):
    monkeypatch.setenv("GHOSTD_TEACHER__API_KEY", "sk-canary-4711")
    code = (
        "import gc, os\ndef f():\n    needle = 'canary-' + '4711'\n"
        "    return [needle in repr(dict(os.environ)), any(needle in thing for thing in gc.get_objects() if isinstance(thing, str))]\n"
    )
    assert await attack(code) == [False, False]


async def test_scribbling_over_all_of_its_own_memory_ends_the_run_and_nothing_else(strike):
    code = "import ctypes\ndef f():\n    ctypes.memset(id(type), 0, 1 << 20)\n    return 1\n"
    assert (await strike(code)).exit_class in (ExitClass.SIGNAL, ExitClass.ERROR)
