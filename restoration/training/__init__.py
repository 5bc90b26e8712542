"""The training loop and what it needs: patches, budget, checkpoints, several processes, progress."""
