"""The durable queue on Postgres (procrastinate): defers, works, reaps; handlers are idempotent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import procrastinate
from procrastinate import exceptions as queue_exceptions
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.worker import Worker

from ghostd.errors import BudgetExceeded, GhostdError
from ghostd.log import logger

_log = logger("queue")
Handler = Callable[..., Awaitable[object]]
GiveUp = Callable[[str, Mapping[str, str | int], Exception], Awaitable[bool]]
_BUG_ATTEMPTS = 3  # an unexpected exception is tried this often
_OUTAGE_ATTEMPTS = 5  # after so many outages the job is asked about: it may be what causes them
_LONGEST_WAIT_SECONDS = 60


class _Retry(procrastinate.BaseRetryStrategy):
    """Outages are waited out for ever; a defect in the handler is tried three times; a drained job runs again."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> procrastinate.RetryDecision | None:
        if isinstance(exception, queue_exceptions.JobAborted | asyncio.CancelledError):
            return procrastinate.RetryDecision(retry_in={"seconds": 0})
        if isinstance(exception, BudgetExceeded):
            return procrastinate.RetryDecision(retry_in={"seconds": _LONGEST_WAIT_SECONDS})
        if isinstance(exception, GhostdError):
            return procrastinate.RetryDecision(retry_in={"seconds": min(2**job.attempts, _LONGEST_WAIT_SECONDS)})
        if job.attempts < _BUG_ATTEMPTS:
            return procrastinate.RetryDecision(retry_in={"seconds": 1})
        return None


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of job: its handler and the queue it waits in."""

    handler: Handler
    queue: str  # "teacher", "sandbox" or "housekeeping"


class Queue:
    """Implements ports.Jobs, and runs the workers."""

    def __init__(self, conninfo: str) -> None:
        self._connector = procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=6)
        self._app = procrastinate.App(connector=self._connector)
        self._queues: dict[str, str] = {}
        self._workers: list[Worker] = []
        self._running: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Connect."""
        await self._app.open_async()

    async def close(self) -> None:
        """Disconnect."""
        await self._app.close_async()

    def register(self, tasks: Mapping[str, Task], give_up: GiveUp) -> None:
        """Name the tasks once, before the workers start.

        `give_up` hears of a job that keeps failing; whether it closed it, or wants it tried again.
        """
        for name, task in tasks.items():
            self._queues[name] = task.queue
            self._app.task(name=name, queue=task.queue, retry=_Retry(), pass_context=True)(
                _edge(name, task.handler, give_up)
            )

    async def defer(self, task: str, key: str, **arguments: str | int) -> bool:
        """Enqueue unless a job with this key waits already."""
        try:
            await self._app.configure_task(task, queue=self._queues[task], queueing_lock=key).defer_async(**arguments)
        except queue_exceptions.AlreadyEnqueued:
            return False
        return True

    def start_workers(self, concurrency: Mapping[str, int]) -> None:
        """Work on each queue with its number of jobs at a time."""
        for queue, jobs in concurrency.items():
            worker = Worker(
                app=self._app,
                queues=[queue],
                name=f"ghostd-{queue}",
                concurrency=jobs,
                fetch_job_polling_interval=2.0,
                delete_jobs=DeleteJobCondition.ALWAYS,  # attempts and cycle runs are the history
                install_signal_handlers=False,
            )
            self._workers.append(worker)
            running = worker.run()  # type: ignore[no-untyped-call]  # procrastinate leaves it unannotated
            self._running.append(asyncio.create_task(running, name=f"worker-{queue}"))

    @property
    def running(self) -> list[asyncio.Task[None]]:
        """The workers' tasks; one that ends by itself is a fault."""
        return self._running

    async def drain(self, grace_seconds: float) -> None:
        """Take no new job, wait for those in flight, then hand the rest back to the queue."""
        for worker in self._workers:
            worker.shutdown_graceful_timeout = grace_seconds
            worker.stop()  # type: ignore[no-untyped-call]  # procrastinate leaves it unannotated
        await asyncio.gather(*self._running, return_exceptions=True)

    async def abort(self) -> None:
        """Stop now; jobs in flight go back to the queue."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def reap(self, silent_seconds: float) -> int:
        """Give the jobs of workers that fell silent to others; how many there were. 0 seconds takes them all."""
        manager = self._app.job_manager
        stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=silent_seconds))
        for job in stalled:
            await _retry_or_drop(manager, job)
        await manager.prune_stalled_workers(max(silent_seconds, 1.0))
        if stalled:
            _log.info("jobs.reaped", count=len(stalled))
        return len(stalled)


async def _retry_or_drop(manager: procrastinate.manager.JobManager, job: Job) -> None:
    try:
        await manager.retry_job(job)
    except queue_exceptions.AlreadyEnqueued:  # an equal job waits already
        await manager.finish_job(job, status=Status.ABORTED, delete_job=True)


def _edge(name: str, handler: Handler, give_up: GiveUp) -> Callable[..., Awaitable[None]]:
    async def run(context: procrastinate.JobContext, **arguments: str | int) -> None:
        try:
            await handler(**arguments)
        except GhostdError as outage:
            tries = context.job.attempts + 1
            _log.warning("job.postponed", task=name, reason=str(outage), attempt=tries)
            if tries < _OUTAGE_ATTEMPTS or not await give_up(name, arguments, outage):
                raise
        except Exception as defect:  # the worker's edge: whatever it is, it must not take the daemon down
            last = context.job.attempts + 1 >= _BUG_ATTEMPTS
            _log.exception("job.failed", task=name, last=last, **arguments)
            if not last:
                raise
            await give_up(name, arguments, defect)

    return run
