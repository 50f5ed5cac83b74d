"""Films are opened in a disposable child: a crash, a bomb or a hang costs that one film, and nobody else more than its time."""
