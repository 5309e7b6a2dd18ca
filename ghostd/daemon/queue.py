"""The durable queue on Postgres (procrastinate): defers, works, reaps; handlers are idempotent."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import procrastinate
import psycopg
from procrastinate import exceptions as queue_exceptions
from procrastinate.jobs import DeleteJobCondition, Job, Status
from procrastinate.manager import JobManager
from procrastinate.worker import Worker

from ghostd.errors import BudgetExceeded, GhostdError, StoreError, StoreUnavailable
from ghostd.log import logger

_log = logger("queue")
Handler = Callable[..., Awaitable[object]]
GiveUp = Callable[[str, Mapping[str, str | int], Exception], Awaitable[bool]]
_BUG_ATTEMPTS = 3  # an unexpected exception is tried this often
_OUTAGE_ATTEMPTS = 5  # after so many outages the job is asked about: it may be what causes them
_LONGEST_WAIT_SECONDS = 60
_CONNECTION_SECONDS = 10.0  # how long one statement waits for a database that is away
_NEXT_WORKER_SECONDS = 1.0  # pause before a worker that was lost is replaced


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


class _Manager(JobManager):
    """Gives a job back to the queue unless an equal one waits there already: that one stands for both."""

    async def retry_job(
        self,
        job: Job,
        retry_at: dt.datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        try:
            await super().retry_job(job, retry_at, priority, queue, lock)
        except queue_exceptions.UniqueViolation:
            await self.finish_job(job, status=Status.ABORTED, delete_job=True)


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of job: its handler and the queue it waits in."""

    handler: Handler
    queue: str  # "teacher", "sandbox" or "housekeeping"


class Queue:
    """Implements ports.Jobs, and runs the workers."""

    def __init__(self, conninfo: str, stalled_seconds: float = 45.0) -> None:
        self._stalled_seconds = stalled_seconds  # silence after which another daemon takes a worker's jobs
        self._connector = procrastinate.PsycopgConnector(
            conninfo=conninfo,
            min_size=1,
            max_size=6,
            timeout=_CONNECTION_SECONDS,
        )
        self._app = procrastinate.App(connector=self._connector)
        self._app.job_manager = _Manager(self._connector)
        self._queues: dict[str, str] = {}
        self._workers: dict[str, Worker] = {}  # the present one of each queue
        self._running: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._in_hand: dict[int, asyncio.Task[None]] = {}  # by job id
        self._outage = ("", 0.0)  # the newest, and when by the loop's clock
        self._lost: set[int] = set()  # jobs of our own that nobody had in hand at the last reaping

    async def open(self) -> None:
        """Connect. Raises StoreUnavailable."""
        with _translated():
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
                self._held(_edge(name, task.handler, give_up))
            )

    async def defer(self, task: str, key: str, **arguments: str | int) -> bool:
        """Enqueue unless a job with this key waits already; equal jobs are never in hand at the same time.

        Raises StoreUnavailable.
        """
        job = self._app.configure_task(task, queue=self._queues[task], queueing_lock=key, lock=key)
        try:
            with _translated():
                await job.defer_async(**arguments)
        except queue_exceptions.AlreadyEnqueued:
            return False
        return True

    def start_workers(self, concurrency: Mapping[str, int]) -> None:
        """Work on each queue with its number of jobs at a time."""
        for queue, jobs in concurrency.items():
            self._running.append(asyncio.create_task(self._work(queue, jobs), name=f"worker-{queue}"))

    @property
    def running(self) -> list[asyncio.Task[None]]:
        """The workers' tasks; one that ends by itself is a fault."""
        return self._running

    async def drain(self, grace_seconds: float) -> None:
        """Take no new job, wait for those in flight, then hand the rest back to the queue."""
        self._stop_workers(grace_seconds)
        await asyncio.gather(*self._running, return_exceptions=True)

    async def abort(self) -> None:
        """Stop now; jobs in flight go back to the queue."""
        self._stop_workers(0.0)
        for task in self._in_hand.values():
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def reap(self, silent_seconds: float) -> int:
        """Give the jobs of workers that fell silent to others; how many there were. 0 seconds takes them all.

        So go jobs of this process that nobody has in hand any more, now and at the last reaping: their end could
        not be written. Raises StoreUnavailable.
        """
        manager = self._app.job_manager
        with _translated():
            for number in self._numbers:  # whoever reaps is alive, even if it slept for a while
                await manager.update_heartbeat(number)
            stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=silent_seconds))
            stalled += await self._forgotten()
            for job in stalled:
                with _someone_else_was_first():
                    await manager.retry_job(job)
            await manager.prune_stalled_workers(max(silent_seconds, 1.0))
        if stalled:
            _log.info("jobs.reaped", count=len(stalled))
        return len(stalled)

    @property
    def _numbers(self) -> list[int]:
        return [worker.worker_id for worker in self._workers.values() if worker.worker_id is not None]

    async def _forgotten(self) -> list[Job]:
        manager = self._app.job_manager
        doing = [
            job for number in self._numbers for job in await manager.list_jobs_async(status="doing", worker_id=number)
        ]
        idle = {job.id: job for job in doing if job.id is not None and job.id not in self._in_hand}
        again = [job for number, job in idle.items() if number in self._lost]
        self._lost = set(idle) - self._lost
        return again

    async def _work(self, queue: str, jobs: int) -> None:
        """One worker after another: an outage or a long sleep ends a worker, not the work. Raises StoreError."""
        while not self._stopping.is_set():
            worker = Worker(
                app=self._app,
                queues=[queue],
                name=f"ghostd-{queue}",
                concurrency=jobs,
                fetch_job_polling_interval=2.0,
                update_heartbeat_interval=min(10.0, self._stalled_seconds / 4),
                stalled_worker_timeout=self._stalled_seconds,
                delete_jobs=DeleteJobCondition.ALWAYS,  # attempts and cycle runs are the history
                install_signal_handlers=False,
            )
            self._workers[queue] = worker
            reason = "a side task failed"
            try:
                with _translated():
                    await worker.run()  # type: ignore[no-untyped-call]  # procrastinate leaves it unannotated
            except StoreUnavailable as outage:
                reason = str(outage)
            except StoreError as error:
                if not _was_taken_for_dead(error):
                    raise
                reason = "it was silent for so long that another daemon struck it off"
            if not self._stopping.is_set():
                _log.warning("worker.lost", queue=queue, reason=reason)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _NEXT_WORKER_SECONDS)

    def _stop_workers(self, grace_seconds: float) -> None:
        self._stopping.set()
        for worker in self._workers.values():
            worker.shutdown_graceful_timeout = grace_seconds
            worker.stop()  # type: ignore[no-untyped-call]  # procrastinate leaves it unannotated

    @property
    def alarm(self) -> str:
        """What jobs wait for: the newest outage of the teacher, the sandbox or a budget, '' when it is long past."""
        reason, at = self._outage
        return reason if reason and asyncio.get_running_loop().time() - at < 2 * _LONGEST_WAIT_SECONDS else ""

    def _held(self, work: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """The same, known to `abort` and `reap` for as long as it takes."""

        async def run(context: procrastinate.JobContext, **arguments: str | int) -> None:
            number, task = context.job.id, asyncio.current_task()
            if number is None or task is None:
                raise StoreError("The queue handed out a job without an id; that is a defect.")
            self._in_hand[number] = task
            try:
                await work(context, **arguments)
            except StoreError:
                raise  # the daemon looks at the database itself
            except GhostdError as outage:
                self._outage = (str(outage), asyncio.get_running_loop().time())
                raise
            finally:
                del self._in_hand[number]

        return run


@contextmanager
def _translated() -> Iterator[None]:
    """The queue's errors as ours."""
    try:
        yield
    except queue_exceptions.ConnectorException as error:
        cause = error.__cause__
        if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
            raise StoreUnavailable from error
        raise StoreError(f"The database refuses the queue's work ({cause}); `ghostd db upgrade` mends it.") from error


def _was_taken_for_dead(error: StoreError) -> bool:
    """Whether a job could not be given to the worker because its row is gone."""
    cause = error.__cause__.__cause__ if error.__cause__ is not None else None
    return isinstance(cause, psycopg.errors.ForeignKeyViolation)


@contextmanager
def _someone_else_was_first() -> Iterator[None]:
    """Another daemon may reap, or the worker finish, the same job at the same time."""
    try:
        yield
    except queue_exceptions.ConnectorException as error:
        if not isinstance(error.__cause__, psycopg.errors.RaiseException):  # raised by procrastinate's functions
            raise


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
