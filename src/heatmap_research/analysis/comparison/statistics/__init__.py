"""What measured differences say of runs and images that were not measured."""
