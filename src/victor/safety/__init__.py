"""What safety needs to know of commands, and the sandboxes that they run in."""
