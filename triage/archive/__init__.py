"""Durable objects named by their content, and their in-memory twin."""
