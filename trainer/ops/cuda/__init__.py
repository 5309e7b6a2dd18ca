"""Kernels on a GPU: how their sources are compiled, loaded and launched; no operator is here."""
