"""How restored photographs are compared with the truth: protocol, metrics, artefact measures, baselines."""
