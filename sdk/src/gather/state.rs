//! What a plan hands over to `on_gathered`, as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// # Panics
/// When it cannot be written: the host then counts a failure of the filter, with this message.
pub(super) fn write(state: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(state) {
        Ok(state) => state,
        Err(error) => panic!("the state of a plan cannot be written as JSON: {error}"),
    }
}

/// Reads what [`write`] wrote. A plan without a state has `null`, which is what `()` and `None` are.
///
/// # Panics
/// When the plan was given a state of another type: the host then counts a failure of the filter, with this message.
pub(crate) fn read<S: DeserializeOwned>(state: &[u8]) -> S {
    let state = if state.is_empty() { b"null" } else { state };
    match serde_json::from_slice(state) {
        Ok(state) => state,
        Err(error) => panic!("the state of the plan is not what `on_gathered` takes: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was_given() {
        let state = ("cart".to_owned(), vec![Some(1), None]);
        assert_eq!(read::<(String, Vec<Option<u8>>)>(&write(&state)), state);
        read::<()>(&write(&()));
    }

    #[test]
    fn a_plan_without_a_state_has_none() {
        read::<()>(b"");
        assert_eq!(read::<Option<u8>>(b""), None);
    }

    #[test]
    #[should_panic(expected = "not what `on_gathered` takes")]
    fn a_state_of_another_type_is_a_mistake_that_is_told() {
        read::<u8>(&write(&"text"));
    }
}
