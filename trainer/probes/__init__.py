"""Synthetic tasks that each ask one thing of a model's memory; a small model learns one on the fly and is tested."""
