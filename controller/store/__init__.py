"""The ground: tables, migrations, and the one writer beside many readers."""
