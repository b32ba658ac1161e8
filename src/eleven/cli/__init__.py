"""The command `eleven`: one module a command, which parses, makes one library call and shows the result."""

import os

# pydantic would look through every installed package for plug-ins, which takes longer than reading a file's header
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
