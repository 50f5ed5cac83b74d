"""Damage on purpose, more of it than ``make test`` has time for. ``python -m tests.faults`` or ``make faults``."""
