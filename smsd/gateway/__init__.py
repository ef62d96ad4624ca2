"""Speaks to the SMS providers."""
