"""Where ingest runs."""
