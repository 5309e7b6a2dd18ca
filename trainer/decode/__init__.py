"""Reading ids and keeping what was read: compiled or eager decoders behind one interface, their states and caches."""
