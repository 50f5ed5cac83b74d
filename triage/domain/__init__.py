"""Nouns and rules of triage. Standard library only: no clock, no file, no framework."""
