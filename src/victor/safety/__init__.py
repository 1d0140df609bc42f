"""What safety needs to know of commands, and later the sandboxes that they run in."""
