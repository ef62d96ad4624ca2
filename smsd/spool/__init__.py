"""The engines that keep what was accepted."""
