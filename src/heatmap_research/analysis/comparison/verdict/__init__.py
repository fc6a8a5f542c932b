"""From runs to sentences: which arm is better, by how much, and what that covers."""
