"""``smsctl``: smsd's operators at a terminal, and their scripts."""
