"""One forward pass with its loss, as one module: so that DDP sees every use of a weight, auxiliary losses included."""

from torch import Tensor, nn

from trainer.data import Batch
from trainer.model import LanguageModel
from trainer.objective import ahead_loss, next_loss
from trainer.state import ModelState


class Forward(nn.Module):
    """A batch to the sum of its nats."""

    def __init__(self, model: LanguageModel, ahead_weight: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.ahead_weight = ahead_weight

    def forward(self, batch: Batch, state: ModelState | None) -> tuple[Tensor, ModelState]:
        """The nats of all weighted targets, and the state after the rows, cut off from their gradient.

        The predictive heads add to the gradient and not to the value, so that losses of all models can be compared.
        """
        proposed = self.model.propose(batch.ids, batch.segments, state)
        cap = self.model.shape.logit_cap
        loss = next_loss(proposed.logits, batch, cap)
        if self.model.ahead is not None and self.ahead_weight:
            beside = self.ahead_weight * ahead_loss(proposed.ahead, batch, cap)
            loss = loss + (beside - beside.detach())
        return loss, proposed.state.detached()
