"""HAADF imaging: incoherent convolution, scan, dose and detector."""
