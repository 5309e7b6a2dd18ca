"""Small models with weights that matter: layers that begin as zeros would hide what they do."""

import torch
from torch import nn

from trainer.config import ModelConfig
from trainer.model import LanguageModel
from trainer.shape import shape_of

SHAPES: dict[str, dict[str, object]] = {  # widths that fill whole vectors, and such that do not
    "even": {"width": 64, "head_width": 16, "layers": 2, "window": 9, "states": 16, "stride": 4, "landmarks": 3},
    "odd": {"width": 40, "head_width": 20, "layers": 3, "window": 50, "states": 5, "stride": 7, "landmarks": 1},
    "bare": {"width": 36, "head_width": 12, "layers": 2, "window": 70, "states": 3, "mlp_width": 0, "stride": 5},
}
PARTS: list[dict[str, object]] = [
    {"mixers": ("mamba",)},
    {"mixers": ("attention",)},
    {"mixers": ("mamba", "attention")},
    {"recipe": "llama"},
    {"mixers": ("sparse_attention", "attention"), "landmark_places": False},
    {"recipe": "ghost", "mixers": ("mamba", "sparse_attention")},
    {"recipe": "ghost_memory", "mixers": ("sparse_attention", "mamba"), "fact_slots": 19},
    {"recipe": "rwkv7", "reflections": 2},
    {"recipe": "rwkv6"},
    {"recipe": "mamba2", "head_states": 11},
    {"mixers": ("blend",), "blend_learned": True, "norm_groups": 4},
]


def model_of(**config: object) -> LanguageModel:
    """In evaluation, with all linear weights drawn anew and all others moved away from where they begin."""
    torch.manual_seed(0)
    model = LanguageModel(shape_of(ModelConfig(**config), 64)).eval()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.25)
    linear = {id(module.weight) for module in model.modules() if isinstance(module, nn.Linear)}
    with torch.no_grad():
        for parameter in model.parameters():
            if id(parameter) not in linear:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model
