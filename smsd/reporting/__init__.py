"""Tells people and their tools what happened."""
