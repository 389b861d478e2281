"""What every other folder builds on: settings, progress, errors and the number of threads."""
