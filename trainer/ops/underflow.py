"""A decay that leaves nothing: how a recurrent layer forgets what stood before a document."""

from typing import Final

UNDERFLOW: Final = 110.0  # exp(-110) is 0 in fp32, denormals included
