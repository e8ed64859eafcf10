"""The search for decisions that are better than the defaults, and its records."""
