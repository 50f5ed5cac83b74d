"""Pixels: numpy and pydicom data sets; no file, socket, clock or log."""
