"""The web demo. What a page shows is computed here, without a page; :mod:`.page` alone needs gradio."""
