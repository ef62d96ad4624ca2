"""A MessageBird (classic REST API) that runs on this machine and fails on demand."""
