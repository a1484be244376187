"""Training networks on photographs: the games, their data, their checkpoints."""
