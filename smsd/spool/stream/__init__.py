"""Keeps messages in a stream that all nodes write to and read, each into a ledger of its own."""
