//! What a reader gets, in every format, and that nothing in it can be more than text.

mod browser;
mod debt;
mod debt_sample;
mod examples;
mod html;
mod sample;
mod sarif;
mod text;
mod uses;
