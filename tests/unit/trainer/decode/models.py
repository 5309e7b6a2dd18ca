"""Small models with weights that matter: layers that begin as zeros would hide what they do."""

import torch
from torch import nn

from trainer.config import ModelConfig
from trainer.model import LanguageModel
from trainer.shape import shape_of

SHAPES = {  # widths that fill whole vectors, and such that do not
    "even": {"width": 64, "head_width": 16, "layers": 2, "window": 9, "states": 16},
    "odd": {"width": 40, "head_width": 20, "layers": 3, "window": 50, "states": 5},
    "bare": {"width": 36, "head_width": 12, "layers": 2, "window": 70, "states": 3, "mlp_width": 0},
}


def model_of(**config: object) -> LanguageModel:
    """In evaluation, with all linear weights drawn anew."""
    torch.manual_seed(0)
    model = LanguageModel(shape_of(ModelConfig(**config), 64)).eval()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.25)
    return model
