//! System Graph: symbols, calls with reasons, entry points, exposure.
