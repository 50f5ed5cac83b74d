"""Retraining: speaks files. Manifest in, bundle out; no database, no network; pixels only through triage.imaging."""
