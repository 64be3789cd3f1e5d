"""Systems over time, driven by any solver."""
