"""Fakes of the ports for tests, ours and yours; they pass the contract suites of what they stand for."""
