"""Causal attention to the last `stride` ids and, before them, to every `stride`-th id of the document: O(L) in time.

The id at place p of its document sees the places p - stride + 1 to p, and the landmarks before these: the places q with
(q + 1) divisible by `stride`, back to p - stride * landmarks. So the state is bounded and time grows linearly. A
landmark speaks for the ids before it, because the recurrent layers below have gathered them.

Half of a head's pairs are turned by the place in bytes, half by the position in soft words, where a state-space
tokenizer counts these (RoPE: arXiv 2104.09864; QK-norm: arXiv 2010.04245). Without `landmark_places` landmarks are not
turned: they are found by what they say alone, so that none is further away than any in training (attention without
positions reaches further: Kazemnejad et al. 2023, arXiv 2305.19466).
"""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers import positions
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.layers.weighted_mean import weighted_mean
from trainer.ops.registration import working_type
from trainer.ops.rms_norm import rms_norm
from trainer.shape import ModelShape

_NOWHERE: Final = -1  # the place of a landmark that is not there, and the document of what stands before the beginning
_FILLING: Final = -2  # the document of what fills the last block


@dataclass(frozen=True, slots=True)
class _Far:
    """Landmarks in the order of their places; those that are not there come first."""

    keys: Tensor  # (B, H, M, head width)
    values: Tensor  # (B, H, M, head width)
    places: Tensor  # (B, M) int64, in their documents
    segments: Tensor  # (B, M) int64
    at: Tensor  # (B, M) int64, in the row; below 0 for those of the state

    def taken(self, order: Tensor, count: int) -> "_Far":
        """The `count` last ones by `order`, (B, M); where it is below 0, there is none."""
        chosen = order.topk(count, dim=1, sorted=True)
        index = chosen.indices.flip(1)
        there = chosen.values.flip(1) >= 0
        wide = index[:, None, :, None].expand(-1, self.keys.shape[1], -1, self.keys.shape[3])
        return _Far(
            self.keys.gather(2, wide),
            self.values.gather(2, wide),
            self.places.gather(1, index).where(there, _NOWHERE),
            self.segments.gather(1, index).where(there, _NOWHERE),
            self.at.gather(1, index).where(there, _NOWHERE),
        )


class SparseAttention(Mixer):
    """The state is the keys and values of the last `stride` - 1 ids and of the landmarks, and the last id's place."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(shape)
        self.head_width, self.stride, self.landmarks = shape.head_width, shape.stride, shape.landmarks
        self.landmark_places = shape.landmark_places
        self.query = nn.Linear(shape.width, shape.width, bias=False)
        self.key = nn.Linear(shape.width, shape.width, bias=False)
        self.value = nn.Linear(shape.width, shape.width, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """No keys and no values, each (B, H, 0, head width); places are (B, landmarks) and (B,) int64."""
        heads = self.output.in_features // self.head_width
        nothing = torch.zeros(batch, heads, 0, self.head_width, device=device)
        return {
            "keys": nothing,
            "values": nothing,
            "landmark_keys": nothing,
            "landmark_values": nothing,
            "landmark_places": torch.zeros(batch, 0, dtype=torch.int64, device=device),
            "place": torch.full((batch,), _NOWHERE, dtype=torch.int64, device=device),
        }

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer; the keys of the state are turned to their positions already, where they are turned at all."""
        batch, length, width = x.shape
        query, key, value = (
            each(x).view(batch, length, -1, self.head_width)  # (B, L, H, head width)
            for each in (self.query, self.key, self.value)
        )
        places = positions.places(sight, state["place"])
        angles = self._angles(places, sight)
        query, key = (rms_norm(each.to(working_type(each))) for each in (query, key))
        turn = angles.cos().to(key.dtype), angles.sin().to(key.dtype)
        near_query, near_key = positions.turned(query, *turn), positions.turned(key, *turn)
        # From here on (B, H, L, head width).
        query, key, value, near_query, near_key = (
            each.transpose(1, 2) for each in (query, key, value, near_query, near_key)
        )
        keys = torch.cat([state["keys"].to(key.dtype), near_key], dim=2)
        values = torch.cat([state["values"].to(value.dtype), value], dim=2)
        far = self._landmarks(near_key if self.landmark_places else key, value, places, sight, state)
        if self.landmark_places:
            mixed = self._attended(near_query, (keys, values), places, far, sight)
        else:  # twice as wide: the query once for near keys and once for landmarks, with zeros against the others
            both = torch.cat([near_query, query], dim=-1)
            close = functional.pad(keys, (0, self.head_width)), values
            unturned = replace(far, keys=functional.pad(far.keys, (self.head_width, 0)))
            mixed = self._attended(both, close, places, unturned, sight)
        y: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        kept = max(0, keys.shape[2] - (self.stride - 1))
        near = {"keys": keys[:, :, kept:], "values": values[:, :, kept:]}
        return y, {**near, **self._remembered(far, sight), "place": places[:, -1]}

    def _angles(self, places: Tensor, sight: Sight) -> Tensor:
        """(B, L, 1, head width / 2) float64."""
        pairs = self.head_width // 2
        by_words = pairs // 2
        words = places.double() if sight.words is None else sight.words
        turns = [
            places.double()[..., None] * positions.rates(pairs - by_words, places.device),
            words[..., None] * positions.rates(by_words, places.device),
        ]
        return torch.cat(turns, dim=-1)[:, :, None]

    def _landmarks(self, key: Tensor, value: Tensor, places: Tensor, sight: Sight, state: LayerState) -> _Far:
        """Those of the state, then those of the row."""
        length = places.shape[1]
        index = torch.arange(length, device=places.device).expand_as(places)
        row = _Far(key, value, places, sight.segments, index)
        found = torch.where((places + 1) % self.stride == 0, index, _NOWHERE)
        row = row.taken(found, min(length // self.stride + 1, length))
        old = state["landmark_places"]
        if not old.shape[1]:
            return row
        last = sight.past_segments[:, -1:].expand_as(old)
        both = _Far(
            torch.cat([state["landmark_keys"].to(key.dtype), row.keys], dim=2),
            torch.cat([state["landmark_values"].to(value.dtype), row.values], dim=2),
            torch.cat([old, row.places], dim=1),
            torch.cat([last.where(old >= 0, _NOWHERE), row.segments], dim=1),
            torch.cat([torch.full_like(old, _NOWHERE), row.at], dim=1),
        )
        return both.taken(_order(both.segments >= 0), old.shape[1] + row.places.shape[1])

    def _remembered(self, far: _Far, sight: Sight) -> LayerState:
        """The last landmarks of the document that the row ends in."""
        most = min(self.landmarks, (sight.begin + sight.segments.shape[1]) // self.stride, far.places.shape[1])
        kept = far.taken(_order(far.segments == sight.segments[:, -1:]), most)
        return {"landmark_keys": kept.keys, "landmark_values": kept.values, "landmark_places": kept.places}

    def _attended(self, query: Tensor, close: tuple[Tensor, Tensor], places: Tensor, far: _Far, sight: Sight) -> Tensor:
        """(B, H, L, head width): the row in blocks of `stride` ids, each with the block before it and landmarks."""
        batch, heads, length, _ = query.shape
        size = min(self.stride, length)
        blocks = -(-length // size)
        past = close[0].shape[2] - length
        before, filling = self.stride - past, blocks * size - length
        near = self.stride + size
        segments = torch.cat([sight.past_segments[:, sight.past_segments.shape[1] - past :], sight.segments], dim=1)
        segments = functional.pad(functional.pad(segments, (before, 0), value=_NOWHERE), (0, filling), value=_FILLING)
        keys, values = (functional.pad(each, (0, 0, before, filling)) for each in close)
        asked = functional.pad(query, (0, 0, 0, filling)).unflatten(2, (blocks, size)).transpose(1, 2)
        asked_places = functional.pad(places, (0, filling)).reshape(batch, blocks, size, 1)
        asked_segments = segments[:, self.stride :].reshape(batch, blocks, size, 1)
        back = torch.arange(size, device=query.device)[:, None] + self.stride - torch.arange(near, device=query.device)
        seen = (asked_segments == segments.unfold(1, near, size)[:, :, None]) & (back >= 0) & (back < self.stride)
        far_keys, far_values, far_places, far_segments = self._far_of_blocks(far, blocks, size)

        def of_blocks(part: Tensor, landmarks: Tensor) -> Tensor:
            """(B x blocks, H, S, head width): the block before, the block itself, landmarks."""
            last = part[:, :, : blocks * self.stride].unflatten(2, (blocks, self.stride)).transpose(1, 2)
            own = part[:, :, self.stride :].unflatten(2, (blocks, size)).transpose(1, 2)
            return torch.cat([last, own, landmarks], dim=3).flatten(0, 1)

        far_back = asked_places - far_places[:, :, None]
        seen_far = asked_segments == far_segments[:, :, None]
        seen_far = seen_far & (far_back >= self.stride) & (far_back <= self.stride * self.landmarks)
        mixed = weighted_mean(
            asked.flatten(0, 1),
            of_blocks(keys, far_keys),
            of_blocks(values, far_values),
            torch.cat([seen, seen_far], dim=3).flatten(0, 1)[:, None],
            self.head_width**-0.5,
        )
        by_head: Tensor = mixed.reshape(batch, blocks, heads, size, self.head_width).transpose(1, 2).flatten(2, 3)
        return by_head[:, :, :length]

    def _far_of_blocks(self, far: _Far, blocks: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The landmarks that a block may see: keys and values (B, blocks, H, M, head width), places and documents.

        In a long row they are the last ones before the block, so that the work of a block does not grow with the row.
        """
        count, most = far.places.shape[1], self.landmarks + 1
        if count <= most or blocks == 1:
            far_keys, far_values = (each[:, None].expand(-1, blocks, -1, -1, -1) for each in (far.keys, far.values))
            return far_keys, far_values, far.places[:, None], far.segments[:, None]
        starts = torch.arange(blocks, device=far.at.device) * size
        end = (far.at[:, None, :] < starts[None, :, None]).sum(2)  # (B, blocks)
        index = end[..., None] - most + torch.arange(most, device=far.at.device)  # (B, blocks, most)
        there, index = index >= 0, index.clamp(min=0)
        lane = torch.arange(index.shape[0], device=index.device)[:, None, None]
        by_landmark_keys, by_landmark_values = far.keys.transpose(1, 2), far.values.transpose(1, 2)
        return (
            by_landmark_keys[lane, index].transpose(2, 3),
            by_landmark_values[lane, index].transpose(2, 3),
            far.places[lane, index].where(there, _NOWHERE),
            far.segments[lane, index].where(there, _NOWHERE),
        )

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Queries, keys, values and the output."""
        return 4 * shape.width**2


def _order(wanted: Tensor) -> Tensor:
    """(B, M): the index where it is wanted, else -1."""
    return torch.where(wanted, torch.arange(wanted.shape[1], device=wanted.device), _NOWHERE)


MIXER = SparseAttention
