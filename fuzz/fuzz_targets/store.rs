#![no_main]
#![allow(missing_docs, reason = "the module of this name in the library says what it is")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluicegate_fuzz::store::run(data));
