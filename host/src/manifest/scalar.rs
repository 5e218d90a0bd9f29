//! What a plain scalar means, after the core schema of YAML 1.2.2, section 10.3.2.
//!
//! `yes`, `no`, `on` and `off` are strings there, and so is everything that looks like a date.

use serde_json::{Number, Value};

/// Why a scalar has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarError {
    /// Infinity or not-a-number.
    NoJsonForm,
    /// The tag asks for something else.
    Mismatch,
    /// The tag is not of the core schema.
    UnknownTag,
}

/// The value of a scalar without quotes and without a tag.
pub(super) fn plain(text: &str) -> Result<Value, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Ok(Value::Null),
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        _ => number(text).unwrap_or_else(|| Ok(Value::String(text.into()))),
    }
}

/// The value of a scalar with a tag of the core schema.
pub(super) fn tagged(text: &str, suffix: &str) -> Result<Value, ScalarError> {
    let fits =
        |value: Value, fits: fn(&Value) -> bool| if fits(&value) { Ok(value) } else { Err(ScalarError::Mismatch) };
    match suffix {
        "str" => Ok(Value::String(text.into())),
        "null" => fits(plain(text)?, Value::is_null),
        "bool" => fits(plain(text)?, Value::is_boolean),
        "int" => fits(plain(text)?, |value| value.is_i64() || value.is_u64()),
        "float" => fits(plain(text)?, Value::is_number),
        "map" | "seq" => Err(ScalarError::Mismatch),
        _ => Err(ScalarError::UnknownTag),
    }
}

/// A number, if the text is one.
fn number(text: &str) -> Option<Result<Value, ScalarError>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Err(ScalarError::NoJsonForm));
    }
    if let Some(value) = radix(text, "0x", 16).or_else(|| radix(text, "0o", 8)) {
        return Some(value);
    }
    if !unsigned.bytes().next().is_some_and(|first| first.is_ascii_digit() || first == b'.') || !decimal(unsigned) {
        return None;
    }
    let integer = text.strip_prefix('+').unwrap_or(text);
    if let Ok(value) = integer.parse::<i64>() {
        return Some(Ok(value.into()));
    }
    if let Ok(value) = integer.parse::<u64>() {
        return Some(Ok(value.into()));
    }
    let float = integer.parse::<f64>().ok().and_then(Number::from_f64);
    Some(float.map(Value::Number).ok_or(ScalarError::NoJsonForm))
}

fn radix(text: &str, prefix: &str, radix: u32) -> Option<Result<Value, ScalarError>> {
    let digits = text.strip_prefix(prefix)?;
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    Some(u64::from_str_radix(digits, radix).map(Value::from).map_err(|_| ScalarError::NoJsonForm))
}

/// Whether a text without sign has the form of a decimal number: `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
fn decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let table = [
            ("", json!(null)),
            ("~", json!(null)),
            ("nULL", json!("nULL")),
            ("TRUE", json!(true)),
            ("yes", json!("yes")),
            ("off", json!("off")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("0o17", json!(15)),
            ("0xfF", json!(255)),
            ("0x", json!("0x")),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("1_000", json!("1_000")),
            ("2026-01-01", json!("2026-01-01")),
            ("infinity", json!("infinity")),
            ("-", json!("-")),
        ];
        for (text, value) in table {
            assert_eq!(plain(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn infinity_has_no_json_form() {
        for text in [".inf", "-.Inf", ".NaN", "1e999"] {
            assert_eq!(plain(text), Err(ScalarError::NoJsonForm), "{text}");
        }
    }

    #[test]
    fn a_tag_has_to_fit_its_value() {
        assert_eq!(tagged("80", "str"), Ok(json!("80")));
        assert_eq!(tagged("80", "int"), Ok(json!(80)));
        assert_eq!(tagged("eighty", "int"), Err(ScalarError::Mismatch));
        assert_eq!(tagged("80", "port"), Err(ScalarError::UnknownTag));
    }
}
