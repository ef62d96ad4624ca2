"""The page that an operator opens at night, and what stands behind it."""
