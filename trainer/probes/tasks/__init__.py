"""The probes, one file each: `VARIANTS` holds its tasks by their names."""
