"""The host side of `trainer/`: runs it as a process, keeps its folders and the frozen exam; it imports no torch."""
