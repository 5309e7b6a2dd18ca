"""Diagnostics: what is measured while a model trains, and which component is named when something is wrong."""
