"""What a model knows, and whether it knows what it does not know: asked through one harness, whoever answers."""
