"""The command `eleven`: one module a command, which parses, makes one library call and shows the result."""
