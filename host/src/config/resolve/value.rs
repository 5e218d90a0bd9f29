//! Values that have no type of their own: choices, names, log levels.

use crate::config::problem::{Mistake, did_you_mean};
use crate::config::quantity;
use clap::ValueEnum;

pub(super) fn choice<T: ValueEnum>(text: &str) -> Result<T, Mistake> {
    T::from_str(text, false).map_err(|_| {
        let known: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned()))
            .collect();
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        Mistake::with_help(format!("`{text}` is none of {}", known.join(", ")), did_you_mean(text, &names))
    })
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, Mistake> {
    text.parse().map_err(|_| Mistake::new(format!("`{text}` is neither `true` nor `false`")))
}

pub(super) fn memory(text: &str) -> Result<usize, Mistake> {
    let bytes = quantity::size(text)?;
    usize::try_from(bytes).map_err(|_| Mistake::new(format!("`{text}` is more than this machine can address")))
}

pub(super) fn levels(text: &str) -> Result<String, Mistake> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Mistake::with_help(
            format!("`{text}` does not name log levels: {error}"),
            "write a level and exceptions to it by module, such as `info,sluicegate::chain=debug`",
        )),
    }
}

/// A name as Kubernetes has it (RFC 1123 label).
pub(super) fn label(text: &str) -> Result<String, Mistake> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
    {
        return Ok(text.to_owned());
    }
    Err(Mistake::with_help(
        format!("`{text}` is not a name"),
        "write lower-case letters, digits and `-`, 63 at most, with a letter or digit at both ends",
    ))
}

pub(super) fn domain(text: &str) -> Result<String, Mistake> {
    text.split('.').try_for_each(|part| label(part).map(drop))?;
    Ok(text.to_owned())
}
