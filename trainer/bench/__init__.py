"""Benchmarks of the trainer: each proves that the answer is right before it looks at the clock."""
