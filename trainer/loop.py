"""The training loop: steps, evaluations, checkpoints, early stopping; it resumes where a killed run was saved."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trainer import checkpoint
from trainer.audience import Audience, Say
from trainer.checkpoint import Progress
from trainer.config import RunConfig
from trainer.curves import Curves
from trainer.evaluate import Score, evaluate
from trainer.generate import generate, prompt_ids
from trainer.metrics import Journals, MutedJournals
from trainer.model import count_parameters
from trainer.monitor.diagnostics import usual_observers
from trainer.observer import Observer
from trainer.precision import settle
from trainer.processes import joined
from trainer.processor import prepare_processor
from trainer.progress import Meter
from trainer.sampling import Sampling
from trainer.step import take_step
from trainer.training import Training, prepare, resume, save


def train(
    run: RunConfig,
    say: Say,
    asked_to_stop: Callable[[], bool] = lambda: False,
    watchers: Callable[[Training], list[Observer]] = usual_observers,
) -> Progress:
    """Trains to the end of the run, or until it gets no better, or until it is asked to stop; each can be resumed.

    Started by torchrun, every process calls this; the first one speaks and writes.

    Args:
        run: what to train; a folder `run.out` that holds the same run is resumed.
        say: takes one line of news.
        asked_to_stop: looked at after every step; then a last checkpoint is written.
        watchers: gives the observers of the run, before it is resumed.

    Raises:
        ConfigError, DataError, CheckpointError: the run cannot begin or go on; the message says what mends it.
        Diverged: the loss is no number; the last checkpoint is from before.

    """
    prepare_processor()
    with joined() as processes:
        training = prepare(run, processes)
        training.observers += watchers(training)
        return _train(training, say if processes.first else _say_nothing, asked_to_stop)


def _train(training: Training, say: Say, asked_to_stop: Callable[[], bool]) -> Progress:
    run, processes = training.run, training.processes
    out = Path(run.out)
    if checkpoint.exists(out / "checkpoints", "last"):
        resume(training, out / "checkpoints")
    counts = count_parameters(training.model)
    parts = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    say(f"{sum(counts.values()):,} parameters: {parts}")
    say(f"{len(training.splits.train):,} documents to train on, {len(training.splits.validation):,} held out")
    settle(training, say)
    among = "" if processes.alone else f", one of {processes.size} processes"
    say(f"step {training.progress.step} of {training.progress.steps} on {training.device}{among}, into {out}")
    journals = Journals(out, training.progress.step) if processes.first else MutedJournals()
    try:
        return _run_to_the_end(training, Audience(training, journals, say), asked_to_stop)
    finally:
        journals.close()


def _say_nothing(_line: str) -> None:
    pass


def _run_to_the_end(training: Training, audience: Audience, asked_to_stop: Callable[[], bool]) -> Progress:
    run, journals, say = training.run.training, audience.journals, audience.say
    meter = Meter(training.progress.step, training.progress.steps, time.monotonic())
    curves = Curves(Path(training.run.out), run.curves_every if training.processes.first else 0.0)
    step, steps = training.progress.step, training.progress.steps
    over = step == steps or bool(training.progress.stopped)
    while not over:
        update = take_step(training, audience)
        step = training.progress.step
        ids = len(training.lanes()) * training.run.data.context
        journals.write("metrics", step, loss=update.loss, gradient_norm=update.norm, rate=update.rate)
        asked = training.processes.any(asked_to_stop())
        improved = (step % run.evaluate_every == 0 or step == steps) and _look(training, audience)
        line = meter.after_step(step, update.loss, ids, time.monotonic())
        journals.write("timing", step, seconds=round(meter.seconds, 3), ids_per_second=round(meter.speed, 1))
        over = asked or step == steps or bool(training.progress.stopped)
        if improved or over or step % run.checkpoint_every == 0:
            journals.flush()
            save(training, improved=improved)
            for news in (line, training.progress.stopped, curves.after_checkpoint(last=over)):
                if news:
                    say(news)
        elif line:
            say(line)
    audience.leave()
    return training.progress


def _look(training: Training, audience: Audience) -> bool:
    """Evaluates and samples; whether it is the best so far."""
    step = training.progress.step
    _sample(training, audience.journals)
    if not training.held_out:
        return False
    score = evaluate(training.model, training.held_out, training.device, training.precision())
    audience.journals.write("metrics", step, validation_loss=score.loss, bits_per_byte=score.bits_per_byte)
    training.progress = judged(training.progress, score, training.run.training.patience)
    audience.say(f"step {step}: validation {score.loss:.4f} nats, {score.bits_per_byte:.4f} bits per byte")
    audience.after_evaluation(step, score)
    return training.progress.best_step == step


def judged(progress: Progress, score: Score, patience: int) -> Progress:
    """The progress after an evaluation: best so far, stale, or stopped; `patience` 0 never stops."""
    if progress.best_loss is None or score.loss < progress.best_loss:
        return replace(progress, best_loss=score.loss, best_step=progress.step, stale=0)
    stale = progress.stale + 1
    if patience and stale >= patience:
        why = f"stopped: {stale} evaluations without a better one; the best was at step {progress.best_step}"
        return replace(progress, stale=stale, stopped=why)
    return replace(progress, stale=stale)


def _sample(training: Training, journals: Journals) -> None:
    config = training.run.training
    for number, prompt in enumerate(config.sample_prompts):
        ids = prompt_ids(prompt.encode(), chat=training.run.data.form == "messages")
        seed = training.run.seed + training.progress.step + number
        text = bytes(generate(training.model, ids, most=config.sample_bytes, sampling=Sampling(), seed=seed))
        journals.write("samples", training.progress.step, prompt=prompt, text=text.decode(errors="replace"))
