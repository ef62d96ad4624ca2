"""What an SMS is and what may become of it: pure, without Twisted, clock or disk."""
