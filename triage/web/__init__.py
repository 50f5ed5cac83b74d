"""The pages and the API: the live worklist, health, metrics. The only place that knows FastAPI."""
