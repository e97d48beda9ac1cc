//! Append-only signed history and its sealed objects.
