//! What libFuzzer says of a run, and the table that is made of it.

use std::fmt::Write as _;

/// Inputs of at most 4 KiB, as every limit that matters is reached within them; nothing may take ten seconds, or leave a
/// gigabyte behind.
pub(super) const OPTIONS: [&str; 5] =
    ["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1", "-use_value_profile=1"];

/// The figures of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    executions: u64,
    /// Executions in a second.
    rate: u64,
    /// Edges that were reached.
    edges: u64,
    /// Edges that there are in what is instrumented.
    of_edges: u64,
    /// Edges with how often, and comparisons with how close: what tells one input from another.
    features: u64,
    /// Inputs that were kept.
    corpus: u64,
}

impl Figures {
    /// Takes a line of its output in.
    pub(super) fn read(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1)?.split('/').next()?.parse().ok()
        };
        for (name, figure) in [
            ("cov:", &mut self.edges),
            ("ft:", &mut self.features),
            ("corp:", &mut self.corpus),
            ("stat::number_of_executed_units:", &mut self.executions),
            ("stat::average_exec_per_sec:", &mut self.rate),
        ] {
            *figure = after(name).unwrap_or(*figure);
        }
        // `INFO: Loaded 1 modules   (77216 inline 8-bit counters): ...`
        if let Some((_, rest)) = line.split_once("modules") {
            let count = rest.trim_start().trim_start_matches('(').split(' ').next();
            self.of_edges = count.and_then(|count| count.parse().ok()).unwrap_or(self.of_edges);
        }
    }
}

/// A row for each target, and the sum.
pub(super) fn table(rows: &[(&str, Figures)]) -> String {
    let mut text =
        String::from("| target | executions | a second | edges | features | corpus |\n|---|--:|--:|--:|--:|--:|\n");
    for (target, figures) in rows {
        let Figures { executions, rate, edges, of_edges, features, corpus } = figures;
        let _ =
            writeln!(text, "| `{target}` | {executions} | {rate} | {edges} of {of_edges} | {features} | {corpus} |");
    }
    let sum: u64 = rows.iter().map(|(_, figures)| figures.executions).sum();
    let _ = writeln!(text, "| all | {sum} | | | | |");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_of_a_run_count() {
        let mut figures = Figures::default();
        for line in [
            "INFO: Loaded 1 modules   (77216 inline 8-bit counters): 77216 [0x5, 0x6), ",
            "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#100\tREDUCE cov: 420 ft: 1311 corp: 80/5000b lim: 40 exec/s: 50 rss: 31Mb L: 3/9 MS: 1 CopyPart-",
            "stat::number_of_executed_units: 8192",
            "stat::average_exec_per_sec:     4096",
        ] {
            figures.read(line);
        }
        let expected =
            Figures { executions: 8192, rate: 4096, edges: 420, of_edges: 77_216, features: 1311, corpus: 80 };
        assert_eq!(figures, expected);
        assert!(table(&[("json", figures)]).contains("| `json` | 8192 | 4096 | 420 of 77216 | 1311 | 80 |"));
    }
}
