"""The corpus of planted non-determinism: forty and more ways in which one program gives two answers; it runs nothing.

Each is an expression that a right function adds to its answer and that the exam ignores, so that only the replays
and the taints can tell. `reasons` are the classes that name its true cause; the first is the usual one.
"""

# ruff: noqa: E501 - programs under test are quoted as they are sent

from dataclasses import dataclass

from tests.unit.verify.lessons import TOTIENT, Case


@dataclass(frozen=True, slots=True)
class Planted:
    """One kind of non-determinism."""

    setup: str  # statements before the function
    noise: str  # expression inside it
    reasons: frozenset[str]  # what follows "reproducible."; several taints are joined by "+"


def _planted(noise: str, *reasons: str, setup: str = "") -> Planted:
    return Planted(setup, noise, frozenset(reasons))


PLANTED = {
    "time": _planted("time.time()", "clock", setup="import time"),
    "monotonic_clock": _planted("time.monotonic_ns()", "clock", setup="import time"),
    "performance_counter": _planted("time.perf_counter()", "clock", setup="import time"),
    "processor_time": _planted("time.process_time()", "clock", setup="import time"),
    "clock_by_number": _planted("time.clock_gettime(time.CLOCK_REALTIME)", "clock", setup="import time"),
    "local_time": _planted("time.localtime().tm_sec", "clock", setup="import time"),
    "now": _planted("str(datetime.datetime.now())", "clock", setup="import datetime"),
    "today": _planted("datetime.date.today().toordinal()", "clock", setup="import datetime"),
    "now_from_the_c_module": _planted("str(_datetime.datetime.now())", "clock", "random", setup="import _datetime"),
    "elapsed_by_sleeping": _planted(
        "timed()", "clock", setup="import time\ndef timed():\n    t = time.time()\n    time.sleep(0.01)\n    return time.time() - t"
    ),
    "random": _planted("random.random()", "random", setup="import random"),
    "random_choice": _planted("random.sample(range(1000), 5)", "random", setup="import random"),
    "random_instance": _planted("random.Random().random()", "random", setup="import random"),
    "random_underneath": _planted("_random.Random().random()", "random", setup="import _random"),
    "system_random": _planted("random.SystemRandom().random()", "entropy", "entropy+random", setup="import random"),
    "urandom": _planted("os.urandom(4)", "entropy", setup="import os"),
    "random_device": _planted("open('/dev/urandom', 'rb').read(4)", "entropy"),
    "secrets": _planted("secrets.token_hex(4)", "entropy", setup="import secrets"),
    "uuid1": _planted("str(uuid.uuid1())", "clock", "clock+random", "clock+entropy+random", "clock+environment+random",
                      "clock+entropy+environment+random", "clock+environment+process+random", setup="import uuid"),
    "uuid4": _planted("str(uuid.uuid4())", "entropy", setup="import uuid"),
    "identity": _planted("id(object())", "address"),
    "object_text": _planted("repr(object())", "address"),
    "function_text": _planted("repr(lambda: 0)", "address"),
    "generator_text": _planted("str(x for x in ())", "address"),
    "exception_text": _planted("told()", "address", setup="def told():\n    try:\n        {}[object()]\n    except KeyError as e:\n        return str(e)"),
    "object_hash": _planted("hash(object())", "place", "address", "random"),
    "text_hash": _planted("hash('ghost')", "hash-order"),
    "bytes_hash": _planted("hash(b'ghost')", "hash-order"),
    "set_order": _planted("list({str(i) for i in range(20)})", "hash-order"),
    "frozenset_order": _planted("tuple(frozenset(map(str, range(20))))", "hash-order"),
    "dictionary_from_a_set": _planted("list(dict.fromkeys({str(i) for i in range(20)}))", "hash-order"),
    "popped_from_a_set": _planted("{str(i) for i in range(20)}.pop()", "hash-order"),
    "sum_over_a_set": _planted("sum(map(float, set('1e16 1 5 0.3 -1e16 0.7 1e8 3.3'.split())))", "hash-order"),
    "order_of_objects": _planted("[o.n for o in {Thing(n) for n in range(30)}]", "place", "address", "random",
                                 setup="class Thing:\n    def __init__(self, n):\n        self.n = n"),
    "threads": _planted("race()", "threads", setup=(
        "import threading\ndef race():\n    seen = []\n"
        "    ts = [threading.Thread(target=lambda n=n: seen.append(n)) for n in range(4)]\n"
        "    [t.start() for t in ts]\n    [t.join() for t in ts]\n    return seen")),
    "threads_underneath": _planted("_thread.start_new_thread(int, ()) and 1", "threads", setup="import _thread"),
    "float_sum_by_threads": _planted("pooled()", "threads", "clock+threads", setup=(
        "from concurrent.futures import ThreadPoolExecutor, as_completed\ndef pooled():\n"
        "    with ThreadPoolExecutor(3) as pool:\n"
        "        return sum(f.result() for f in as_completed([pool.submit(pow, 1.1, n) for n in range(30)]))")),
    "process_number": _planted("os.getpid()", "environment", setup="import os"),
    "thread_number": _planted("threading.get_native_id()", "random", "environment", setup="import threading"),
    "host_name": _planted("socket.gethostname()", "environment", setup="import socket"),
    "folder_name": _planted("os.getcwd()", "environment", setup="import os"),
    "environment_variable": _planted("os.environ.get('HOSTNAME', '')", "environment", setup="import os"),
    "temporary_name": _planted("tempfile.mktemp()", "random", "environment+random", setup="import tempfile"),
    "file_time": _planted("written().st_mtime_ns", "random", "clock", setup="import os\ndef written():\n    open('x', 'w').close()\n    return os.stat('x')"),
    "file_number": _planted("os.stat('.').st_ino", "random", "place", "environment", setup="import os"),
    "listing_of_processes": _planted("os.listdir('/proc')", "environment", setup="import os"),
    "processors": _planted("os.cpu_count()", "environment", setup="import os"),
    "load": _planted("os.getloadavg()", "environment", setup="import os"),
    "kernel_file": _planted("open('/proc/self/stat').read()", "environment"),
    "resource_usage": _planted("resource.getrusage(0).ru_utime", "clock", setup="import resource"),
    "process_times": _planted("os.times().elapsed", "clock", setup="import os"),
    "memory_by_ctypes": _planted("ctypes.addressof(ctypes.c_int())", "native", "address", setup="import ctypes"),
    "clock_by_ctypes": _planted("ctypes.CDLL(None).clock()", "native", setup="import ctypes"),
    "reference_count": _planted("sys.getrefcount(None)", "interpreter", setup="import sys"),
    "allocated_blocks": _planted("sys.getallocatedblocks()", "interpreter", setup="import sys"),
    "objects_of_the_collector": _planted("len(gc.get_objects())", "interpreter", setup="import gc"),
    "work_until_an_alarm": _planted("counted()", "random", "clock", "time", setup=(
        "import signal\ndef counted():\n    done, stop = 0, []\n    signal.signal(signal.SIGALRM, lambda *a: stop.append(1))\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.004)\n    while not stop:\n        done += 1\n    return done")),
}  # fmt: skip


def lesson(planted: Planted) -> Case:
    """A right lesson whose answer is [the right value, the noise], and its exam, which looks at the right value alone."""
    right = TOTIENT.lesson.code.replace("def totient(", "def _totient(")
    code = f"{planted.setup}\n\n{right}\n\ndef totient(n: int) -> list:\n    return [_totient(n), {planted.noise}]\n"
    checks = [check.replace("totient(", "totient(", 1).replace(") ==", ")[0] ==") for check in TOTIENT.exam.checks]
    return TOTIENT.with_code(code).with_checks(*checks).with_claims().with_exercises()


def control() -> Case:
    """The same lesson with nothing planted: the exam is good, so whatever is rejected is rejected for its noise."""
    return lesson(_planted("0"))
