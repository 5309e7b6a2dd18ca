"""One model over several processes, by torch's own means: copied (DDP) or sharded (FSDP2); alone it stays as it is.

DDP: Li et al. 2020, arXiv 2006.15704. FSDP2 (`fully_shard`): after Zhao et al. 2023, arXiv 2304.11277.
"""

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn

from trainer.forward import Forward
from trainer.processes import Processes


def spread(forward: Forward, processes: Processes, *, sharded: bool) -> nn.Module:
    """What to call in place of `forward`, so that gradients are averages over the processes.

    Copies are told to expect unused weights although there are none: torch then never regroups the gradients after the
    first step, so that a resumed run adds them up in the same order and stays equal to the last bit.
    """
    if processes.alone:
        return forward
    if sharded:
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module")  # no layer changes another's result in place
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

        for block in forward.model.layers():
            fully_shard(block)
        fully_shard(forward.model)
        register_fsdp_forward_method(forward.model, "propose")
        return forward
    return nn.parallel.DistributedDataParallel(forward, find_unused_parameters=True)


def exchange(module: nn.Module, *, last: bool) -> AbstractContextManager[object]:
    """The context of one pass of a step: copies exchange their gradients in the last one alone."""
    if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
        return module.no_sync()
    return nullcontext()


def local(tensor: Any) -> Tensor:
    """What this process holds of the tensor."""
    part: Tensor = tensor.to_local() if _is_sharded(tensor) else tensor
    return part


def whole(tensor: Any) -> Tensor:
    """All of the tensor; where it is sharded every process must ask for it."""
    gathered: Tensor = tensor.full_tensor() if _is_sharded(tensor) else tensor
    return gathered


def part_like(tensor: Tensor, pattern: Any) -> Tensor:
    """The whole `tensor`, which every process has, placed and sharded as the pattern is."""
    moved = tensor.to(pattern.device)
    if not _is_sharded(pattern):
        return moved
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(moved, pattern.device_mesh, pattern.placements, src_data_rank=None)


def load_whole(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Puts whole tensors into a model that may be sharded. Raises RuntimeError when they are another model's."""
    patterns = model.state_dict()
    parts = {name: part_like(each, patterns[name]) if name in patterns else each for name, each in tensors.items()}
    model.load_state_dict(parts)


def reshard(model: nn.Module) -> None:
    """Lets go of what a pass without a backward pass has gathered: whole weights have no gradients and no optimizer."""
    package = sys.modules.get("torch.distributed.fsdp")
    if package is not None and isinstance(model, package.FSDPModule):
        model.reshard()


def _is_sharded(tensor: Tensor) -> bool:
    """Whether it is a DTensor; whoever made one has imported the package, which takes a second to import."""
    package = sys.modules.get("torch.distributed.tensor")
    return package is not None and isinstance(tensor, package.DTensor)
