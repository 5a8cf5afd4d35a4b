//! Tests that reach inside.
