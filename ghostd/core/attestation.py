"""The hashes of an execution: what was run where (`run_key`) and what came of it (`result_hash`); pure."""

from ghostd.core.canonical import digest
from ghostd.core.evidence import Outcome, Place, Run

RUN_SCHEMA = "ghostd.run/1"
RESULT_SCHEMA = "ghostd.result/1"


def run_key(run: Run, place: Place) -> str:
    """sha256 over schema, code, inputs, environment, image id, cell version and limits.

    The backend and the cell's id are left out: the same image runs the same program wherever it stands.
    """
    limits = run.limits
    return digest(
        [
            RUN_SCHEMA,
            [run.code, run.entry, list(run.calls), list(run.checks), run.stop_on_failure],
            [run.variation.hash_seed, run.variation.start_time.hex(), run.variation.workspace],
            [place.image_id, place.cell_version],
            [
                limits.wall_seconds.hex(),
                limits.cpu_seconds.hex(),
                limits.memory_bytes,
                limits.output_bytes,
                limits.value_bytes,
            ],
        ]
    )


def result_hash(outcome: Outcome) -> str:
    """sha256 over exit class, values, checks, stdout and exception; never time, memory, stderr or addresses.

    Messages of failed checks are left out: they quote the examiner's view, not the program's behaviour.
    """
    return digest(
        [
            RESULT_SCHEMA,
            outcome.exit_class.value,
            [[call.value, call.exception] for call in outcome.calls],
            [[check.reached, check.passed] for check in outcome.checks],
            outcome.stdout,
            [outcome.exception_type, outcome.exception_message],
        ]
    )
