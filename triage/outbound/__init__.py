"""Results over HTTP: STOW-RS and webhooks."""
