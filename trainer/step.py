"""One update of the weights: passes forward and backward, clipping, the optimizer; it neither saves nor evaluates."""

import math
from dataclasses import dataclass, replace

from torch.nn.utils import clip_grad_norm_

from trainer.audience import Audience
from trainer.errors import Diverged
from trainer.schedule import factor
from trainer.spread import exchange, whole
from trainer.training import Training


@dataclass(frozen=True, slots=True)
class Update:
    """What a step did."""

    loss: float  # mean over the ids of the step, in nats
    norm: float  # of the gradient, before it was clipped
    rate: float  # the fraction of the peak learning rates


def take_step(training: Training, audience: Audience) -> Update:
    """Moves the weights once, by the rows of all passes and processes.

    Raises:
        DataError: a document cannot be read.
        Diverged: the loss is no number; the weights did not move.

    """
    run, processes, step = training.run, training.processes, training.progress.step + 1
    audience.before_step(step)
    batches = [training.rows.take(lanes).to(training.device) for lanes in training.passes()]
    weights, learnt = (
        sum(float(batch.weights.sum()) for batch in batches),
        sum(batch.learnt_bytes() for batch in batches),
    )
    weights, learnt = processes.sum([weights, learnt])
    scale = processes.size / max(1.0, weights)  # gradients are averaged over the processes and meant to be summed
    nats = 0.0
    for number, batch in enumerate(batches):
        with exchange(training.forward, last=number == len(batches) - 1):
            with training.precision():
                lost, state = training.forward(batch, training.carried.get(number))
            if run.data.carry_state:
                training.carried[number] = state
            loss = lost * scale
            loss.backward()
        nats += float(lost.detach())
    (nats,) = processes.sum([nats])
    loss_of_step = nats / max(1.0, weights)
    said = audience.after_backward(step)
    if not math.isfinite(loss_of_step):
        why = " ".join([f"The loss is {loss_of_step} at step {step}; lower the learning rates, or clip more.", *said])
        raise Diverged(why)
    limit = run.optimizer.clip or math.inf
    norm = float(whole(clip_grad_norm_(training.model.parameters(), limit)))
    rate = training.progress.rate * factor(step - 1, training.progress.steps, run.optimizer)
    training.optimizer.step(rate)
    learnt_bytes = training.progress.learnt_bytes + learnt
    training.progress = replace(training.progress, step=step, learnt_bytes=learnt_bytes)
    audience.after_step(step, loss_of_step, norm, rate)
    return Update(loss_of_step, norm, rate)
