"""The built-in teacher: a deterministic OpenAI-compatible ASGI app over a catalogue of real knowledge."""
