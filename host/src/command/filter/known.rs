//! Filters by their name, and what is said of a name that is none.

use super::super::exit::Failure;
use sluicegate::admin::AdminClient;
use sluicegate::admin::view::FilterStatus;
use sluicegate::manifest::nearest;

/// The filter of this name.
pub(super) fn find<'a>(filters: &'a [FilterStatus], name: &str) -> Result<&'a FilterStatus, Failure> {
    filters.iter().find(|filter| filter.name == name).ok_or_else(|| {
        let known: Vec<&str> = filters.iter().map(|filter| filter.name.as_str()).collect();
        let help = match nearest(name, known.iter().copied()) {
            _ if known.is_empty() => "it has none".to_owned(),
            Some(close) => format!("did you mean `{close}`? It has {}", known.join(", ")),
            None => format!("it has {}", known.join(", ")),
        };
        anyhow::anyhow!("the instance has no filter `{name}`\n  help: {help}").into()
    })
}

/// Fails where an instance that knows nothing of a filter has none of its name.
pub(super) fn expect(client: &AdminClient, name: Option<&str>) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    find(&client.filters()?, name).map(drop)
}
