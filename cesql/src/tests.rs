use super::*;
use std::collections::BTreeMap;

struct Given(BTreeMap<&'static str, Value>);

impl Attributes for Given {
    fn attribute(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

fn given() -> Given {
    let text = |text: &str| Value::String(text.into());
    Given(BTreeMap::from([("id", text("1")), ("type", text("order.placed")), ("n", Value::Integer(7))]))
}

fn worth(expression: &str) -> (Value, Option<&'static str>) {
    let evaluation = evaluate(&parse(expression).unwrap(), &given());
    (evaluation.value, evaluation.error.map(Error::name))
}

fn refused(expression: &str) -> (usize, String) {
    let error = parse(expression).unwrap_err();
    (error.column, error.reason)
}

#[test]
fn operators_bind_as_tight_as_the_specification_says() {
    for (expression, value) in [
        ("2 + 3 * 4", Value::Integer(14)),
        ("2 * 3 + 4", Value::Integer(10)),
        ("10 - 4 - 3", Value::Integer(3)),
        ("7 % 4 * 2", Value::Integer(6)),
        ("-2 + 3", Value::Integer(1)),
        ("-(2 + 3)", Value::Integer(-5)),
        ("1 + 1 = 2", Value::Boolean(true)),
        ("1 < 2 AND 3 < 4", Value::Boolean(true)),
        ("true OR false AND false", Value::Boolean(false)),
        ("NOT false LIKE 't%'", Value::Boolean(true)),
        ("NOT EXISTS nothing AND EXISTS ID", Value::Boolean(true)),
        ("1 IN (1, 2) = true", Value::Boolean(true)),
        ("CONCAT('a', 'b') LIKE 'a_'", Value::Boolean(true)),
        ("-2147483648", Value::Integer(i32::MIN)),
    ] {
        assert_eq!(worth(expression), (value, None), "{expression}");
    }
}

#[test]
fn errors_give_the_zero_value_of_the_expression_around_them() {
    for (expression, value, error) in [
        ("missing", Value::Boolean(false), "missingAttribute"),
        ("1 / missing", Value::Integer(0), "missingAttribute"),
        ("CONCAT('a', missing)", Value::String(String::new()), "missingAttribute"),
        ("LENGTH(missing)", Value::Integer(0), "missingAttribute"),
        ("NOT missing", Value::Boolean(false), "missingAttribute"),
        ("missing IN (1)", Value::Boolean(false), "missingAttribute"),
        ("1 IN (missing)", Value::Boolean(false), "missingAttribute"),
        ("2147483647 + 1", Value::Integer(0), "math"),
        ("-2147483648 / -1", Value::Integer(0), "math"),
        ("-2147483648 % -1", Value::Integer(0), "math"),
        ("-(-2147483648)", Value::Integer(0), "math"),
        ("'x' * 2", Value::Integer(0), "cast"),
        ("'x' = 2", Value::Boolean(false), "cast"),
        ("'x' < 2", Value::Boolean(false), "cast"),
        ("1 IN ('x')", Value::Boolean(false), "cast"),
        ("1 AND true", Value::Boolean(false), "cast"),
        ("nothing(1)", Value::Boolean(false), "missingFunction"),
        ("LENGTH()", Value::Boolean(false), "missingFunction"),
        ("SUBSTRING('abc', 1, -1)", Value::String(String::new()), "functionEvaluation"),
    ] {
        assert_eq!(worth(expression), (value, Some(error)), "{expression}");
    }
}

#[test]
fn a_filter_passes_only_what_is_true_without_an_error() {
    for (expression, passes) in
        [("true", true), ("n = 7", true), ("'true'", false), ("1", false), ("NOT 10", false), ("missing = 1", false)]
    {
        assert_eq!(evaluate(&parse(expression).unwrap(), &given()).passes(), passes, "{expression}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_at_its_place() {
    for (expression, column, reason) in [
        ("", 1, "expected a value, not the end"),
        ("ABC(", 5, "expected a value, not the end"),
        ("id =", 5, "expected a value, not the end"),
        ("id = 'open", 6, "the text has no closing '"),
        ("é ", 1, "'é' means nothing here"),
        ("'é' ?", 5, "'?' means nothing here"),
        ("id id", 4, "expected an operator or the end, not `id`"),
        ("id LIKE type", 9, "after LIKE there has to be a text in quotes"),
        ("id IN ()", 8, "expected a value, not `)`"),
        ("id IN 1", 7, "expected `(`, not `1`"),
        ("EXISTS 'id'", 8, "after EXISTS there has to be an attribute, not the text \"id\""),
        ("a_b = 1", 1, "expected a value, not `a_b`"),
        ("AND", 1, "expected a value, not `AND`"),
        ("2147483648", 1, "2147483648 is beyond 32 bits"),
        ("99999999999999999999", 1, "99999999999999999999 is beyond 32 bits"),
        ("(1", 3, "expected `)`, not the end"),
        ("1 == 2", 4, "expected a value, not `=`"),
    ] {
        assert_eq!(refused(expression), (column, reason.to_owned()), "{expression}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(40)).is_ok());
    assert!(refused(&nested(60)).1.contains("nested more than 50"));
    assert!(refused(&"NOT ".repeat(200)).1.contains("nested more than 50"));
    assert!(refused(&"-".repeat(200)).1.contains("nested more than 50"));
    let chain = |links: usize| vec!["1"; links].join("+");
    assert_eq!(worth(&chain(300)), (Value::Integer(300), None));
    assert!(refused(&chain(1_000)).1.contains("300 levels deep"));
    assert!(refused(&" ".repeat(5_000)).1.contains("4096 are the most"));
}

#[test]
fn a_pattern_takes_time_in_proportion_to_its_text() {
    let text = "a".repeat(2_000);
    let pattern = format!("{}b", "%a".repeat(1_000));
    assert!(!like::Pattern::new(&pattern).fits(&text));
    assert!(like::Pattern::new("%%%").fits(""));
    assert!(like::Pattern::new("\\\\%").fits("\\x"));
    assert!(!like::Pattern::new("").fits("x"));
}

#[test]
fn an_unknown_function_is_found_wherever_it_is() {
    for expression in ["NO(1)", "1 + LENGTH(NO())", "NOT NO() AND true", "1 IN (NO(1))", "CONCAT_WS()"] {
        assert!(parse(expression).unwrap().calls_unknown(), "{expression}");
    }
    assert!(!parse("LENGTH(CONCAT()) = 1 OR id LIKE 'a'").unwrap().calls_unknown());
}
