"""How each mixer is laid out as instructions, one file each under the mixer's name; others decode eagerly."""
