//! The codes of this filter's diagnostics. They are stable: tools and people search for them.

/// A setting of the filter is out of its range.
pub const SETTING: &str = "SG0301";
/// The document has not the shape of the resource. The host's own check against the schema finds this first.
pub const UNREADABLE: &str = "SG0302";
/// A host is not a host name.
pub const HOST: &str = "SG0303";
/// A method is not a method that can be sent.
pub const METHOD: &str = "SG0304";
/// The pattern of the path is not one.
pub const PATTERN: &str = "SG0305";
/// Another composition takes the same requests.
pub const CONFLICT: &str = "SG0306";
/// There is no call.
pub const NO_CALLS: &str = "SG0307";
/// A name is taken, or is none.
pub const NAME: &str = "SG0308";
/// A call's service is missing or wrong.
pub const SERVICE: &str = "SG0309";
/// Fields of a call exclude or need each other.
pub const FIELDS: &str = "SG0310";
/// The path of a call is not one.
pub const PATH: &str = "SG0311";
/// A template cannot be read.
pub const TEMPLATE: &str = "SG0312";
/// A template names something that is not there.
pub const UNKNOWN_NAME: &str = "SG0313";
/// A template asks for a field that its call, the request or the schema does not have.
pub const UNKNOWN_FIELD: &str = "SG0314";
/// Calls wait for each other in a circle.
pub const CYCLE: &str = "SG0315";
/// More of something than the filter, or one request, may have.
pub const LIMIT: &str = "SG0316";
/// Nothing uses a call.
pub const UNUSED: &str = "SG0317";
/// Something is not a duration that can be used.
pub const DURATION: &str = "SG0318";
/// Something is not a status, or not one that can be used here.
pub const STATUS: &str = "SG0319";
/// A header's name is wrong, or the header is not the author's to set.
pub const HEADER_NAME: &str = "SG0320";
/// A header's value is wrong.
pub const HEADER_VALUE: &str = "SG0321";
/// A call that is required needs another that may not be there.
pub const MAY_BE_ABSENT: &str = "SG0322";
/// Something that has to be a list is none.
pub const NOT_A_LIST: &str = "SG0323";
/// A choice of alternatives, or a quorum, that cannot be.
pub const SET: &str = "SG0324";
/// A condition that is not one.
pub const CONDITION: &str = "SG0325";
/// An operator of the template is not known, or lacks something.
pub const OPERATOR: &str = "SG0326";
/// A schema that this filter cannot use.
pub const SCHEMA: &str = "SG0327";
/// Retries that contradict themselves, or an unknown condition.
pub const RETRIES: &str = "SG0328";
/// A cache policy for something that is not kept.
pub const CACHE: &str = "SG0329";
/// A value that a template looks into is plain text.
pub const NOT_AN_OBJECT: &str = "SG0330";
