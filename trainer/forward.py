"""One forward pass with its loss, as one module: so that DDP sees every use of a weight, auxiliary losses included."""

from torch import Tensor, nn

from trainer.data import Batch
from trainer.evaluate import weighted_loss
from trainer.model import LanguageModel
from trainer.objective import ahead_loss
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
        if self.model.ahead is None or not self.ahead_weight:
            logits, after = self.model(batch.ids, batch.segments, state)
            return weighted_loss(logits, batch), after.detached()
        predicted = self.model.predict(batch.ids, batch.segments, state)
        beside = self.ahead_weight * ahead_loss(predicted.ahead, batch)
        return weighted_loss(predicted.logits, batch) + (beside - beside.detach()), predicted.state.detached()
