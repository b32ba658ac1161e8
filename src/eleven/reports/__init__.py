"""What commands and pages show: frozen data, gathered here and printed elsewhere."""
