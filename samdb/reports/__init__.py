"""Pictures and figures for people: overlays and contact sheets."""
