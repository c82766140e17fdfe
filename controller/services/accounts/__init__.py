"""Who may come in: passwords, and what a sign-in opens until when."""
