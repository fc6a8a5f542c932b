"""Using what was trained: pictures and boxes in, people with joints and their covariance out."""
