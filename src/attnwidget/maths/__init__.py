"""The arithmetic of attention: NumPy arrays in, NumPy arrays out."""
