"""Segment Anything: checkpoints, networks, decoder, automatic masks, embedding recipes (owner of torch)."""
