"""A laboratory for tiny byte-level models; it stands alone and knows nothing of the daemon."""
