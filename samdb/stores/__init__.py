"""Vector stores: in memory, embedded Qdrant (a folder), Qdrant server or cluster; one contract for all."""
