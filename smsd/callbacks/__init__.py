"""Tells receivers over HTTP what becomes of their messages."""
