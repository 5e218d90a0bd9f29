//! Does with its store and its metrics what the request header `x-do` says, and tells in the response header `x-did`.
//!
//! | words | what it does | what it tells |
//! |---|---|---|
//! | `set KEY VALUE [MILLISECONDS]` | writes | `ok` or the refusal |
//! | `get KEY` | reads | the value or `none` |
//! | `delete KEY` | takes out | `true` or `false` |
//! | `version KEY` | reads | the version or `none` |
//! | `swap KEY VERSION VALUE` | writes in the place of that version, `0` for none | `ok`, or why not |
//! | `increment KEY` | counts by swaps | the number |
//! | `fill COUNT BYTES` | writes so many entries of so many bytes | how many, and the first refusal |
//! | `count NAME [VALUE]` | adds one to a counter, with the label `value` | `ok` or the refusal |
//! | `gauge NAME NUMBER` | sets a gauge | `ok` or the refusal |
//! | `observe NAME NUMBER` | counts in a histogram | `ok` or the refusal |
//! | `flood COUNT` | defines so many counters | how many, and the first refusal |
//!
//! What it is told not to know it leaves alone. `x-keeper` tells the version, a word that tests write over.

use sluicegate_sdk::capability::metrics::{self, Counter, Gauge, Histogram};
use sluicegate_sdk::capability::store::{self, SwapRefusal};
use sluicegate_sdk::prelude::*;
use std::hint::black_box;
use std::time::Duration;

/// What stands before the version.
const MARKER: &[u8; 8] = b"KEEPER:=";
/// Tests write over what follows the marker.
static VERSION: [u8; 16] = *b"KEEPER:=first   ";

/// A refusal in a word.
trait Word {
    fn word(self) -> &'static str;
}

impl Word for store::Refusal {
    fn word(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Bytes => "bytes",
            Self::Key => "key",
        }
    }
}

impl Word for metrics::Refusal {
    fn word(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Full => "full",
        }
    }
}

/// The filter.
#[derive(Debug, Default)]
pub struct Keeper;

impl RequestFilter for Keeper {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        let told = request.header("x-do").unwrap_or_default();
        let words: Vec<&str> = told.split(' ').collect();
        let did = keep(&words).or_else(|| measure(&words)).unwrap_or_default();
        let version = String::from_utf8_lossy(&black_box(&VERSION)[MARKER.len()..]).trim().to_owned();
        next().with_response(set_header("x-did", did)).with_response(set_header("x-keeper", version)).into()
    }
}

fn keep(words: &[&str]) -> Option<String> {
    Some(match *words {
        ["set", key, value] => said(store::set(key, value.as_bytes(), None)),
        ["set", key, value, lifetime] => {
            said(store::set(key, value.as_bytes(), Some(Duration::from_millis(lifetime.parse().ok()?))))
        }
        ["get", key] => store::get(key).map_or("none".into(), |entry| text(&entry.value)),
        ["version", key] => store::get(key).map_or("none".into(), |entry| entry.version.to_string()),
        ["delete", key] => store::delete(key).to_string(),
        ["swap", key, version, value] => {
            let expected = Some(version.parse().ok()?).filter(|version| *version > 0);
            match store::swap(key, expected, value.as_bytes(), None) {
                Ok(_) => "ok".into(),
                Err(SwapRefusal::Changed(there)) => {
                    format!("changed {}", there.map_or("none".into(), |there| text(&there.value)))
                }
                Err(SwapRefusal::Refused(refusal)) => refusal.word().into(),
            }
        }
        ["increment", key] => {
            let counted = store::update(key, |entry| {
                let before = entry.and_then(|entry| text(&entry.value).parse::<u64>().ok()).unwrap_or_default();
                ((before + 1).to_string().into_bytes(), None)
            });
            counted.map_or_else(|refusal| refusal.word().into(), |value| text(&value))
        }
        ["fill", count, bytes] => {
            let value = vec![b'x'; bytes.parse().ok()?];
            many(count.parse().ok()?, |number| store::set(&format!("filled-{number}"), &value, None))
        }
        _ => return None,
    })
}

fn measure(words: &[&str]) -> Option<String> {
    Some(match *words {
        ["count", name] => said(Counter::define(name, &[]).map(Counter::increment)),
        ["count", name, value] => said(Counter::define(name, &[("value", value)]).map(Counter::increment)),
        ["gauge", name, number] => {
            let number = number.parse().ok()?;
            said(Gauge::define(name, &[]).map(|gauge| gauge.set(number)))
        }
        ["observe", name, number] => {
            let number = number.parse().ok()?;
            said(Histogram::define(name, &[], &[1.0, 10.0]).map(|histogram| histogram.observe(number)))
        }
        ["flood", count] => {
            many(count.parse().ok()?, |number| Counter::define("flood", &[("number", &number.to_string())]))
        }
        _ => return None,
    })
}

/// How often it goes well, and why not in the end.
fn many<T, E: Word>(count: usize, mut does: impl FnMut(usize) -> Result<T, E>) -> String {
    for number in 0..count {
        if let Err(refusal) = does(number) {
            return format!("{number} {}", refusal.word());
        }
    }
    count.to_string()
}

fn said<T, E: Word>(result: Result<T, E>) -> String {
    result.map_or_else(|refusal| refusal.word().into(), |_| "ok".into())
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

sluicegate_sdk::export!(Keeper, hooks: [request], capabilities: ["store", "metrics"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_as_it_is_told() {
        let does = |told: &str| {
            let words: Vec<&str> = told.split(' ').collect();
            keep(&words).or_else(|| measure(&words)).unwrap_or_else(|| "nothing".into())
        };
        let told = ["increment a", "increment a", "get a", "swap a 9 b", "fill 3 10", "delete a", "get a", "dance"];
        assert_eq!(told.map(does), ["1", "2", "2", "changed 2", "3", "true", "none", "nothing"]);
        assert_eq!(["count x", "count x y", "gauge y 1.5", "observe z 3", "flood 2"].map(does)[..4], ["ok"; 4]);
    }
}
