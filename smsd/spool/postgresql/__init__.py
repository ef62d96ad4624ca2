"""Keeps messages in a PostgreSQL database that several nodes share."""
