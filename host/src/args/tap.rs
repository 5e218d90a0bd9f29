//! `sluice tap`: requests of a running instance as they end.

use super::ask::Ask;
use clap::Args;

/// Shows requests of a running instance as they end
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice tap
      shows every request until Ctrl-C
  sluice tap --status 5xx --path /orders
      shows those that failed, below a path
  sluice tap -n 10 -o json
      shows ten of them as the access log has them

Where there are more than can be looked at, some are left out, and it is said how many. Exit codes: 0 shown, 2 usage, 3 no
instance reached.")]
pub(crate) struct Tap {
    /// How many requests to show; all until it is ended by default
    #[arg(short, long, value_name = "N")]
    pub(crate) number: Option<usize>,
    /// Only those whose path begins with this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) path: Option<String>,
    /// Only those for this host
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// Only those that were answered with this status, or one of its class
    #[arg(long, value_name = "STATUS|Nxx", value_parser = status)]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) ask: Ask,
}

/// A status such as `404`, or a class of them such as `5xx`.
fn status(text: &str) -> Result<String, String> {
    let digits = text.strip_suffix("xx").map_or(3, |_| 1);
    let number = text.trim_end_matches("xx");
    if number.len() == digits && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("it is neither a status, such as 404, nor a class of them, such as 5xx".to_owned())
}
