//! What was answered 401 is tried once more.
