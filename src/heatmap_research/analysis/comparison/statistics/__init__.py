"""What measured differences say about seeds and images that were not measured."""
