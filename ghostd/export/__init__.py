"""Datasets from crystals: rows, files, card, manifest, and the check of them all."""
