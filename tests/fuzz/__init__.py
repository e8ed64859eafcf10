"""Fuzzers of what parses untrusted input: `python -m tests.fuzz --seconds 60`."""
