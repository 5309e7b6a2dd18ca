"""Layers of one interface (`mixer.Mixer`), one file each; a mixer's name is its file's name."""
