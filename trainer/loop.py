"""The training loop: steps, evaluations, checkpoints, early stopping; it resumes where a killed run was saved."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from trainer import checkpoint
from trainer.checkpoint import Progress
from trainer.config import RunConfig
from trainer.errors import Diverged
from trainer.evaluate import Score, evaluate, weighted_loss
from trainer.generate import generate, prompt_ids
from trainer.metrics import Journals
from trainer.model import count_parameters
from trainer.progress import Meter
from trainer.sampling import Sampling
from trainer.schedule import factor
from trainer.training import Training, prepare, resume, save

Say = Callable[[str], None]


def train(run: RunConfig, say: Say, asked_to_stop: Callable[[], bool] = lambda: False) -> Progress:
    """Trains to the end of the run, or until it gets no better, or until it is asked to stop; each can be resumed.

    Args:
        run: what to train; a folder `run.out` that holds the same run is resumed.
        say: takes one line of news.
        asked_to_stop: looked at after every step; then a last checkpoint is written.

    Raises:
        ConfigError, DataError, CheckpointError: the run cannot begin or go on; the message says what mends it.
        Diverged: the loss is no number; the last checkpoint is from before.

    """
    torch.set_flush_denormal(True)  # decaying gradients underflow, which makes matrix products slower by far
    out = Path(run.out)
    training = prepare(run)
    if checkpoint.exists(out / "checkpoints", "last"):
        resume(training, out / "checkpoints")
    counts = count_parameters(training.model)
    parts = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    say(f"{sum(counts.values()):,} parameters: {parts}")
    say(f"{len(training.splits.train):,} documents to train on, {len(training.splits.validation):,} held out")
    say(f"step {training.progress.step} of {training.progress.steps} on {training.device}, into {out}")
    journals = Journals(out, training.progress.step)
    try:
        return _run_to_the_end(training, journals, say, asked_to_stop)
    finally:
        journals.close()


def _run_to_the_end(training: Training, journals: Journals, say: Say, asked_to_stop: Callable[[], bool]) -> Progress:
    run = training.run.training
    meter = Meter(training.progress.step, training.progress.steps, time.monotonic())
    while training.progress.step < training.progress.steps and not training.progress.stopped:
        loss, norm, rate = _step(training)
        step = training.progress.step
        ids = len(training.lanes()) * training.run.data.context
        journals.write("metrics", step, loss=loss, gradient_norm=norm, rate=rate)
        stopping = asked_to_stop() or step == training.progress.steps
        improved = False
        if step % run.evaluate_every == 0 or step == training.progress.steps:
            improved = _look(training, journals, say)
        line = meter.after_step(step, loss, ids, time.monotonic())
        journals.write("timing", step, seconds=round(meter.seconds, 3), ids_per_second=round(meter.speed, 1))
        if line:
            say(line)
        if improved or stopping or training.progress.stopped or step % run.checkpoint_every == 0:
            journals.flush()
            save(training, improved=improved)
        if stopping:
            break
    return training.progress


def _step(training: Training) -> tuple[float, float, float]:
    """One update: the mean loss in nats, the gradient's norm before clipping, and the fraction of the peak rate."""
    run, size = training.run, training.run.data.batch
    batches = [
        training.rows.take(range(first, first + size)).to(training.device)
        for first in range(0, len(training.lanes()), size)
    ]
    total = max(1.0, sum(float(batch.weights.sum()) for batch in batches))
    nats = 0.0
    for number, batch in enumerate(batches):
        with training.precision():
            logits, state = training.model(batch.ids, batch.segments, training.carried.get(number))
        if run.data.carry_state:
            training.carried[number] = state.detached()
        loss = weighted_loss(logits, batch) / total
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nats += float(loss.detach())
    step = training.progress.step + 1
    if not torch.isfinite(torch.tensor(nats)):
        raise Diverged(f"The loss is {nats} at step {step}; lower the learning rates, or clip more.")
    limit = run.optimizer.clip or float("inf")
    norm = float(clip_grad_norm_(training.model.parameters(), limit))
    rate = factor(step - 1, training.progress.steps, run.optimizer)
    training.optimizer.step(rate)
    learnt = sum(batch.learnt_bytes() for batch in batches)
    training.progress = replace(training.progress, step=step, learnt_bytes=training.progress.learnt_bytes + learnt)
    return nats, norm, rate


def _look(training: Training, journals: Journals, say: Say) -> bool:
    """Evaluates and samples; whether it is the best so far."""
    step = training.progress.step
    _sample(training, journals)
    if not training.held_out:
        return False
    score = evaluate(training.model, training.held_out, training.device, training.precision())
    journals.write("metrics", step, validation_loss=score.loss, bits_per_byte=score.bits_per_byte)
    training.progress = judged(training.progress, score, training.run.training.patience)
    say(f"step {step}: validation {score.loss:.4f} nats, {score.bits_per_byte:.4f} bits per byte")
    if training.progress.stopped:
        say(training.progress.stopped)
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
