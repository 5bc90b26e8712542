"""Loss functions for image restoration with neural networks (Zhao et al., 2017), reproduced."""
