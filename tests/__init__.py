"""The proof: ``python -m tests`` runs linters, types, import contracts and every test."""
