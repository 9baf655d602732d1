"""Figures of results: curves, a map of class names, masks of two label spaces over one image."""
