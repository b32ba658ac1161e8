"""Which mix hits most often: shots in pairs, intervals, the search for strengths, and the record of all of it."""
