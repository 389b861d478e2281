"""Networks as torch modules. Importing one of them loads PyTorch."""
