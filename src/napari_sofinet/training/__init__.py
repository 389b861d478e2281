"""Training of networks on movies that are simulated afresh for every step."""
