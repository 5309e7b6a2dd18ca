"""Timers (APScheduler, memory store): each only inserts a job; the queue's key keeps equal ones from piling up."""

import logging
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from ghostd.daemon.config import DaemonConfig
from ghostd.ports import Jobs


class Schedule:
    """Starts and stops the timers."""

    def __init__(self, jobs: Jobs, config: DaemonConfig) -> None:
        # That a timer is left out while its last firing still inserts is as it should be, and nobody's news.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        intervals = {
            "explore": config.explore_every_seconds,
            "choose": config.choose_every_seconds,
            "reverify": config.reverify_every_seconds,
            "export": config.export_every_seconds,
            "calibrate": config.calibrate_every_seconds,
            "train": config.train_every_seconds,
            "sweep": config.sweep_every_seconds,
        }
        for task, seconds in intervals.items():
            self._scheduler.add_job(
                jobs.defer, IntervalTrigger(seconds=seconds, timezone="UTC"), args=(task, task), id=task
            )

    def start(self) -> None:
        """Begin to fire."""
        self._scheduler.start()

    def rearm(self) -> None:
        """Fire everything soon: the wall clock jumped, and due times computed before mean nothing any more."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Fire no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
