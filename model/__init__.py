"""The networks: variants, weights, preprocessing, and what each layer costs."""
