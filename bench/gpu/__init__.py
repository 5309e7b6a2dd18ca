"""The check of everything that runs on a GPU: right, repeatable, launchable anywhere, and how fast."""
