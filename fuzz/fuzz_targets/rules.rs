//! A request → a ruling, which breaks no law of the manifest's rules.
#![no_main]

#[path = "../../tests/adversary/laws.rs"]
mod laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| laws::hold_text(text));
