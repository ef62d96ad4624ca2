"""Keeps messages in topics of Apache Kafka."""
