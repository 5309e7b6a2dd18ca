"""The textbook's knowledge: one file per domain, each with DOMAIN (slug, title, description) and FAMILIES."""
