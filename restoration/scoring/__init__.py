"""Comparison of restored photographs with the truth: protocol, metrics, artefact measures, baselines."""
