"""Base models, opened from a folder, a file or a hub, as pipelines on a device; nothing is downloaded unasked."""
