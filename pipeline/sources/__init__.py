"""Readers of event files: each turns its format into the one canonical staged table."""
