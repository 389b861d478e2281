"""The foundation of all other folders: settings, progress, errors and threads."""
