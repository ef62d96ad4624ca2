"""Where API keys are kept that are made while the daemon runs."""
