"""From runs to sentences: which arm is better, by how much, and for which seeds and images."""
