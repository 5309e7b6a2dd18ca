"""The host side of the sandbox: starts cells, talks to them, destroys them; what runs inside lies in `sandbox/`."""
