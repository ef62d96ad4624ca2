"""Keeps messages in a stream of Amazon Kinesis."""
