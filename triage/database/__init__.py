"""Rows and the queue: the SQL adapter and its in-memory twin."""
