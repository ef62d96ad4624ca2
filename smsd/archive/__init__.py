"""Keeps dead letters beyond the spool."""
