"""The nouns of samdb: plain records and the arithmetic on them (numpy and pycocotools only)."""
