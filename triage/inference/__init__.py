"""Networks: bundles opened and verified, one warm LiteRT interpreter, which bundle is active."""
