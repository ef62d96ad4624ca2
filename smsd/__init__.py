"""An SMS daemon: what was answered 200 is never lost, never sent twice, and never sent too fast."""
