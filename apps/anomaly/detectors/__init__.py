"""What tells odd from normal: the default, the encoder, the literature's, the simple rows."""
