"""From float32 to int8: what values a network takes, how int8 stands for them, what follows."""
