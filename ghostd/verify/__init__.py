"""The rungs of the ladder: they plan executions and decide over what came of them; the sandbox runs them."""
