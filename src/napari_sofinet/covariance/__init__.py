"""Maximum likelihood of the covariance of fluctuations, on a grid finer than the pixels."""
