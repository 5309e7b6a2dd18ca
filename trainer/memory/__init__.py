"""Facts that are written into a model after its training, found by where a conversation stands; see README.md."""
