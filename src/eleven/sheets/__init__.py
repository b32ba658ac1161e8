"""Pictures for people: PNG files that tell how they were made, contact sheets and grids."""
