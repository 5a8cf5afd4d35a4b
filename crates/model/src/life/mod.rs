//! The life cycles of boxes, versions, sessions and runs, as pure step functions.
