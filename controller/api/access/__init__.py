"""Coming in by HTTP: who shows a token, who signs in, and how often somebody may try."""
