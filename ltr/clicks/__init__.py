"""From clicks to labels."""
