//! The pure parts of the data path, each done so many times, for `cargo xtask bench instructions`, which counts what the
//! processor does in them. Wall-clock time varies with the machine; instructions vary with the code alone.
//!
//! Usage: `instructions CASE COUNT`; without arguments it lists the cases. Compiled natively: what a filter costs beside
//! its own work, in the sandbox, is what `cargo xtask bench` measures.

mod host;
mod router;

use std::process::ExitCode;

/// Something that is done again and again. The state that it needs is made once, before.
struct Case {
    name: &'static str,
    prepare: fn() -> Box<dyn FnMut()>,
}

fn main() -> ExitCode {
    let mut cases = host::CASES.iter().chain(&router::CASES);
    // Cargo passes `--bench` to benchmarks that it runs itself.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(name) = arguments.next() else {
        cases.for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    };
    let count = arguments.next().and_then(|count| count.parse::<u32>().ok());
    let (Some(case), Some(count)) = (cases.find(|case| case.name == name), count) else {
        eprintln!("usage: instructions CASE COUNT; without arguments it lists the cases");
        return ExitCode::from(2);
    };
    let mut act = (case.prepare)();
    for _ in 0..count {
        act();
    }
    ExitCode::SUCCESS
}
