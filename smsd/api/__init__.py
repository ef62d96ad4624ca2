"""The HTTP face of smsd; Klein stops here."""
