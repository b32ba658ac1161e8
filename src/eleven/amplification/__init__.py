"""The collapse meter: how many times one model's change a mix makes, told from the files before any picture."""
