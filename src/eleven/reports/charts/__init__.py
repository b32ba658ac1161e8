"""Charts as SVG, each a function of its data: no size, colour or number comes from anywhere else."""
