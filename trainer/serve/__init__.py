"""A trained model behind OpenAI's interface: one engine thread, requests in turns, states to be saved and forked."""
