"""From query predictions to results, as pure functions."""
