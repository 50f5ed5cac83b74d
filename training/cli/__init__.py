"""The commands of ``python -m training``: what people type, see and read; the work is in the steps they call."""
