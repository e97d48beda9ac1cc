//! How a long command says where it is. The engine speaks; the binary decides how it looks.

/// Receives progress from any thread.
pub trait Progress: Sync {
    /// A new stage begins: `reading 120 files`.
    fn stage(&self, text: &str);
    /// Inside the stage: done of total, with a word on the current item.
    fn step(&self, done: u64, total: u64, item: &str);
    /// A line that stays: `proven CWE-89 POST /login`.
    fn say(&self, line: &str);
}

/// Says nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn stage(&self, _: &str) {}
    fn step(&self, _: u64, _: u64, _: &str) {}
    fn say(&self, _: &str) {}
}
