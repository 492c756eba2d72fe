"""What samdb does, as plain functions over the ports; each returns a report record."""
