"""Training of networks, mostly on movies that are simulated anew for every step."""
