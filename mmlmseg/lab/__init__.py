"""The kit beside the method: benchmarks, demo, drawn scenes, figures. Nothing outside of this folder imports it."""
