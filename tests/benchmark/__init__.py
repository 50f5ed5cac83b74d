"""Measurements with peers in the same run: ratios, not verdicts. ``python -m tests.benchmark`` or ``make benchmark``."""
