"""Values as people read them on a terminal: each function takes values and gives something Rich can print."""
