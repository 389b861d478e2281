"""What goes wrong in real movies, and what to do about it before a method runs."""
