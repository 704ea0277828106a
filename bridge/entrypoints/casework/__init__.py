"""Tests of a config, in YAML beside it: read, run without database or network, and made from real deliveries."""
