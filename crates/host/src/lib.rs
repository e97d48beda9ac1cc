//! The operating system behind System.
