"""A trained model in the layouts of other programs, one file each (README.md); nothing is trained or measured here."""
