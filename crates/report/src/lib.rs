//! Output formats, each one handler of protocol messages.
