//! The compiled matcher: which rule takes a request, found without trying one rule after the other.
//!
//! This is the form that every kind of route resource is lowered into, and the only one that requests meet. It knows
//! no resource kind: whoever adds one lowers its documents into these parts and gets the lookup and `explain`.
//!
//! # The parts, from the inside
//!
//! | part | is | made from |
//! |---|---|---|
//! | [`Pattern`](crate::text::Pattern) | one comparison of a string: presence, exact, prefix, prefix by whole segments, expression; some of them in any case | a `StringMatch`, an `HTTPPathMatch`, … |
//! | [`Condition`] | a pattern and what it is compared with: method, a header, a query parameter, the port, … | one field of a match |
//! | [`Block`] | all that one match asks of a request: a pattern for the path, which the index works with, and the other conditions; its [`Specificity`] | `HTTPMatchRequest`, `HTTPRouteMatch` |
//! | [`Rule`](crate::rule::Rule) | blocks of which one must match, the action, the rule's name and place | `HTTPRoute` of a VirtualService, a rule of an HTTPRoute |
//! | [`Document`](crate::document::Document) | rules, hosts, what it is attached to; name and origin, which `explain` shows | one resource |
//! | [`Candidate`] | a block of a rule of a document, by number, and its [`Position`] among the others of the same host | the table |
//! | [`VirtualHost`] | the candidates of one host, sorted by position, with a [`PathIndex`] over them | the table |
//!
//! # Order
//!
//! A request goes to the first candidate of its host that matches, and "first" is nothing but the order of
//! [`Position`]s: plain numbers that are compared field by field, computed once when the configuration is loaded. A
//! resource whose rules are taken in the order of its list leaves [`Specificity`] at its default, so document, rule and
//! block decide. One that goes by precedence, as the Gateway API's do, counts the precedence into it. Candidates
//! of documents with different ideas of order can stand in one host; those with the default specificity come first.
//!
//! # Lookup
//!
//! 1. The host of the request's authority selects a [`VirtualHost`]: by hash for exact names, then label by label for
//!    wildcards ([`HostIndex`](crate::host::HostIndex)).
//! 2. The [`PathIndex`] walks the path once through a radix tree, which yields the candidates whose exact path or prefix
//!    it is, and once through an automaton of all expressions. What has no condition on the path is a candidate always.
//! 3. Candidates come in lists sorted by position. Each list is followed until a candidate holds or until it gets past
//!    the best one so far; the remaining conditions are only looked at for these.
//!
//! So a request pays for its own path's length and for the candidates that its path fits, not for the number of rules.

mod block;
mod condition;
mod expressions;
mod path_index;
mod position;
mod tree;
mod virtual_host;

pub use block::{Block, PathMatch};
pub use condition::Condition;
pub use path_index::{Checked, PathIndex};
pub use position::{Position, Specificity};
pub use virtual_host::{Candidate, VirtualHost};
