"""What ghostd does, one verb per file; the cycles decide through ports and touch nothing else."""
