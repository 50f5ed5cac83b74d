"""The published paper made again: its network, its epochs, its tables; once split as it did, once by patient."""
