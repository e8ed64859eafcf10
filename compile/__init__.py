"""From a network to a shared library: importers, graph passes, schedules, linkers, verification."""
