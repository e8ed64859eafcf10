"""Measurements that can be believed, and the reports they are written to."""
