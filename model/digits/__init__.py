"""Handwritten digits: pictures that come with scikit-learn, and a ShuffleNet trained on them."""
