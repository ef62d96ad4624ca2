"""Names the concrete classes and puts them together, a part of the daemon a file."""
