//! The codes of this filter's diagnostics. They are stable: tools and people search for them.

/// The document has not the shape of the resource. The host's own check against the schema finds this first.
pub const UNREADABLE: &str = "SG0200";
/// `hosts`, `gateways` or `exportTo` break a rule of their own.
pub const HOST: &str = "SG0201";
/// A host is there twice, or a wildcard covers another host of the same resource.
pub const OVERLAPPING_HOSTS: &str = "SG0202";
/// A host that only a gateway can have is bound to `mesh`.
pub const MESH_HOST: &str = "SG0203";
/// The resource, or a rule, says nothing to do.
pub const NO_ACTION: &str = "SG0204";
/// Two fields exclude each other.
pub const CONFLICT: &str = "SG0205";
/// A string match is empty, ambiguous or too long.
pub const STRING_MATCH: &str = "SG0206";
/// A regular expression does not compile.
pub const REGEX: &str = "SG0207";
/// A destination is missing or its name, port or subset is wrong.
pub const DESTINATION: &str = "SG0208";
/// Weights that share nothing out.
pub const WEIGHT: &str = "SG0209";
/// A route composes its destinations' answers.
pub const COMPOSITION: &str = "SG0210";
/// A header's name is wrong, or the header is not the manifest's to change.
pub const HEADER_NAME: &str = "SG0211";
/// A header's value is wrong.
pub const HEADER_VALUE: &str = "SG0212";
/// Something is not a duration that can be used.
pub const DURATION: &str = "SG0213";
/// Retries that contradict themselves, or an unknown condition.
pub const RETRIES: &str = "SG0214";
/// A redirect that cannot be carried out.
pub const REDIRECT: &str = "SG0215";
/// A direct response that cannot be given.
pub const DIRECT_RESPONSE: &str = "SG0216";
/// A rewrite that cannot be carried out.
pub const REWRITE: &str = "SG0217";
/// A delegate that cannot be followed.
pub const DELEGATE: &str = "SG0218";
/// A fault, mirror or CORS policy with a value out of range, or one that does nothing.
pub const POLICY_VALUE: &str = "SG0219";
/// A field that has no effect yet.
pub const NO_EFFECT: &str = "SG0220";
/// A rule or block that no request gets to.
pub const UNREACHABLE: &str = "SG0221";
/// A host that another resource owns.
pub const OWNED_HOST: &str = "SG0222";
/// A block that no request can match here.
pub const NEVER_MATCHES: &str = "SG0223";
/// A deprecated or sloppy spelling.
pub const DEPRECATED: &str = "SG0224";
/// A gateway that no document defines.
pub const UNKNOWN_GATEWAY: &str = "SG0230";
/// A host that no server of the resource's gateways serves.
pub const UNSERVED_HOST: &str = "SG0231";
/// A delegate that no document defines.
pub const UNKNOWN_DELEGATE: &str = "SG0232";
/// A rule for TLS or TCP that Istio refuses.
pub const LAYER4: &str = "SG0233";
/// A filter of a Gateway API route that cannot be carried out.
pub const FILTER: &str = "SG0240";
/// A match of a Gateway API route that no request can have.
pub const MATCH: &str = "SG0241";
/// More of something than the Gateway API allows.
pub const LIMIT: &str = "SG0242";
/// A parent that does not accept the route.
pub const PARENT: &str = "SG0243";
/// A backend that gets no request, so that its share is answered with an error.
pub const BACKEND: &str = "SG0244";
/// A listener of a Gateway that cannot be.
pub const LISTENER: &str = "SG0245";
/// A grant that allows nothing.
pub const GRANT: &str = "SG0246";
