"""The durable side: Postgres, embedded or yours. It stores and finds; what to do with it is decided elsewhere."""
