"""The teacher client: any OpenAI-compatible endpoint behind the `Teacher` port."""
