"""How alike a picture and the photos of a concept are: one module for each way of seeing."""
