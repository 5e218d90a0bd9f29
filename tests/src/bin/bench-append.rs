//! What the disk itself allows, for `cargo xtask bench durable`: appends one record for each of many publishers, has the
//! system put them on the disk, and begins again.
//!
//! It answers with one JSON object: records, seconds, and its own CPU time in microseconds.
//!
//! Usage: `bench-append FILE PUBLISHERS SECONDS`

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: bench-append FILE PUBLISHERS SECONDS";
/// An event of 512 bytes with its attributes, and the length and sum before it.
const RECORD: usize = 512 + 128 + 8;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context(USAGE)?;
    let mut number = || -> Result<u64> { arguments.next().context(USAGE)?.parse().context(USAGE) };
    let (publishers, seconds) = (number()?, Duration::from_secs(number()?));
    let mut file = File::create(&path).with_context(|| format!("{path} cannot be written"))?;
    let batch = vec![b'r'; RECORD * usize::try_from(publishers)?];
    let start = Instant::now();
    let mut appended = 0;
    while start.elapsed() < seconds {
        file.write_all(&batch)?;
        file.sync_data()?;
        appended += publishers;
    }
    let taken = start.elapsed().as_secs_f64();
    let used = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?.as_micros();
    println!(
        "{}",
        serde_json::json!({"appended": appended, "seconds": taken, "cpu_microseconds": u64::try_from(used)?})
    );
    Ok(())
}
