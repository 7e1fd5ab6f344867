//! A request → what becomes of its headers, which breaks no law of the swap.
#![no_main]

#[path = "../../tests/adversary/swaps.rs"]
mod swaps;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| swaps::hold_text(text));
