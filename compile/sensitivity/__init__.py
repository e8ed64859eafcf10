"""What int8 costs a network layer by layer, and which layers to keep in float32 for less."""
