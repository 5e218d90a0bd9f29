//! Every diagnostic code of the host, in one table, so that codes stay unique and each has an explanation.
//!
//! The first two digits name the subject: 00 documents and YAML, 01 fields and settings, 02 router, 03 composer,
//! 04 bridge, 05 endpoints, 06 filters and components, 07 listeners and TLS. Filters have their own tables for 02 to 04. A code, once
//! released, keeps its meaning.

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Such as `SG0004`.
    pub code: &'static str,
    /// What it says, in one line.
    pub title: &'static str,
    /// Why it is said and what to do.
    pub explanation: &'static str,
}

/// What a code means.
pub fn explain(code: &str) -> Option<&'static Code> {
    TABLE.iter().find(|known| known.code.eq_ignore_ascii_case(code))
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal;)+) => {
        $(#[doc = concat!("`", $code, "`: ", $title, ".")] pub const $name: &str = $code;)+
        /// All codes, sorted.
        pub const TABLE: &[Code] = &[$(Code { code: $code, title: $title, explanation: $explanation }),+];
    };
}

codes! {
    UNREADABLE = "SG0001", "a file or directory cannot be read",
        "The system's own words are in the message. Check that the path exists and that the proxy's user may read it.";
    NOT_UTF8 = "SG0002", "a file is not UTF-8",
        "Manifests are UTF-8 text, with or without a byte order mark. Convert the file, for example with iconv.";
    TOO_LARGE = "SG0003", "a file is too large",
        "The limit keeps a stray file from stalling a reload. Split the file: documents may lie in any number of files.";
    SYNTAX = "SG0004", "the text is not valid YAML",
        "The document is skipped up to the next line that starts with three dashes; other documents are still checked.";
    DUPLICATE_KEY = "SG0005", "a key is given twice in one mapping",
        "YAML forbids it, and readers disagree on which value counts. Remove one of the two.";
    TOO_DEEP = "SG0006", "values are nested too deeply",
        "No manifest nests this deep; the limit keeps hostile input from exhausting the stack.";
    TOO_MANY_NODES = "SG0007", "a file holds too many values",
        "Aliases count as often as they are used, which bounds files that expand without end.";
    MERGE_KEY = "SG0008", "merge keys are not supported",
        "Merge keys (<<) are no part of YAML 1.2. Write the fields out, or use an alias for a whole value.";
    BAD_KEY = "SG0009", "a key is not a string",
        "Every key becomes a key of a JSON object, so it has to be a plain or quoted scalar.";
    BAD_TAG = "SG0010", "a tag is unknown or does not fit its value",
        "The tags of the YAML core schema are understood: !!str, !!int, !!float, !!bool, !!null, !!map and !!seq.";
    BAD_NUMBER = "SG0011", "a number has no JSON form",
        "Infinity and not-a-number cannot be passed on. Quote the value when it is meant as a string.";
    NOT_A_MANIFEST = "SG0012", "a document is no manifest",
        "A manifest has apiVersion, kind and metadata at its top level. Keep other files elsewhere.";
    API_VERSION = "SG0013", "apiVersion is missing or malformed",
        "It is VERSION for the core group, or GROUP/VERSION, such as networking.istio.io/v1.";
    KIND = "SG0014", "kind is missing or malformed",
        "It names what the document describes, such as VirtualService.";
    NAME_MISSING = "SG0015", "metadata.name is missing",
        "Documents refer to each other by name, so each needs one. Names are not generated.";
    NAME_INVALID = "SG0016", "a name or namespace is not valid",
        "Names follow RFC 1123: lower case letters, digits, dashes and (in names) dots, up to 63 characters between dots.";
    DUPLICATE_DOCUMENT = "SG0017", "two documents have the same kind, namespace and name",
        "Only one of them could take effect. Rename or remove one.";
    UNCLAIMED = "SG0018", "nothing implements a document's kind",
        "Neither the host nor any loaded filter claims the kind, so the document has no effect.";
    FILTER_SPEC = "SG0101", "a filter could not read a document's spec",
        "The document passed its schema but not the filter itself. The message is the filter's.";
    FILTER_SETTINGS = "SG0102", "a filter's settings do not fit",
        "The filter could not read its settings. The message is the filter's.";
    FILTER_CONFIGURED = "SG0103", "a filter was configured twice",
        "An instance is configured once; this is a defect of the host or of the filter's SDK.";
    UNKNOWN_FIELD = "SG0110", "a field is not known",
        "Unknown fields are errors, as a mistyped field would otherwise silently do nothing.";
    WRONG_TYPE = "SG0111", "a value has the wrong type",
        "The message names what was found and what was expected. Quote numbers that are meant as strings.";
    MISSING_FIELD = "SG0112", "a required field is missing",
        "Add the field to the mapping that is pointed at.";
    NOT_AN_OPTION = "SG0113", "a value is none of the allowed ones",
        "The message lists the allowed values.";
    NO_ALTERNATIVE = "SG0114", "a value fits none, or several, of its alternatives",
        "Some values have one of several forms; exactly one has to be written.";
    OUT_OF_BOUNDS = "SG0115", "a value is out of bounds",
        "A number, a length or a count is outside its limits, or a text does not follow its pattern.";
    BAD_SCHEMA = "SG0116", "a schema is not valid",
        "A filter's manifest brings a JSON schema that cannot be compiled. This is a defect of the filter.";
    OVERLOAD = "SG0117", "a value of an Overload document cannot be used",
        "The message says what is allowed. There is one such document, and what it does not name has its default.";
    CHANNEL = "SG0490", "a channel or subscription cannot be used",
        "The host delivers events by the channel's documents and cannot make sense of this one. The message says why.";
    ENDPOINT_ADDRESS = "SG0501", "an endpoint's address is not valid",
        "Endpoints are IP addresses; host names are allowed where they are resolved (resolution DNS, ExternalName).";
    SLICE_WITHOUT_SERVICE_NAME = "SG0502", "an EndpointSlice names no Service",
        "The label kubernetes.io/service-name ties the slice to its Service.";
    SLICE_OF_UNKNOWN_SERVICE = "SG0503", "an EndpointSlice names a Service that is not there",
        "The slice's endpoints are reached through a Service of that name in the slice's namespace. Add the Service.";
    SERVICE_WITHOUT_ENDPOINTS = "SG0504", "a Service has no endpoints",
        "Requests to it are answered 503. Add an EndpointSlice with the label kubernetes.io/service-name.";
    PORT_WITHOUT_ENDPOINTS = "SG0505", "no port of an EndpointSlice belongs to a Service's port",
        "A slice's port belongs to the Service port of the same name, to the one whose targetPort names it, or to the one whose targetPort has its number.";
    RESOLUTION = "SG0506", "a ServiceEntry's resolution does not give an address",
        "NONE forwards to where the client was going and DYNAMIC_DNS to whatever the request names; a proxy that is driven by files knows neither.";
    ENTRY_FIELDS = "SG0507", "fields of a ServiceEntry do not go together",
        "STATIC needs endpoints with IP addresses, DNS_ROUND_ROBIN takes one endpoint at most, and workloadSelector needs a cluster.";
    ENTRY_HOST = "SG0508", "a ServiceEntry's host cannot be served",
        "A host is a full DNS name; wildcards have no address of their own.";
    UNRESOLVED = "SG0509", "a host name could not be resolved",
        "The endpoint is left out until the name has an address; it is asked for again every few seconds. Check the name and the resolver (--dns).";
    DUPLICATE_PORT = "SG0510", "a port's name or number is given twice",
        "Ports are told apart by both, so both are unique within a service.";
    POLICY_EMPTY = "SG0520", "a traffic policy says nothing",
        "A trafficPolicy without a field would only look as if it did something. Remove it, or say what it is for.";
    POLICY_FIELDS = "SG0521", "fields of a DestinationRule do not go together",
        "Some fields exclude each other, such as loadBalancer.simple and loadBalancer.consistentHash. The message names them.";
    POLICY_VALUE = "SG0522", "a value of a DestinationRule or HealthCheck is out of range",
        "The message says what is allowed.";
    POLICY_UNSUPPORTED = "SG0523", "a DestinationRule asks for what the proxy does not do",
        "Going on without it would send requests in another way than the rule says, so the rule is refused.";
    POLICY_WITHOUT_EFFECT = "SG0524", "a field of a DestinationRule has no effect",
        "The rule is in force without it. The message says what happens instead.";
    RULE_WITHOUT_SERVICE = "SG0525", "a DestinationRule or HealthCheck is for no known service",
        "Its host names no service, or rules of its namespace do not reach the service. It has no effect.";
    RULE_SHADOWED = "SG0526", "another rule for the same host counts instead",
        "Of several rules for one host the first trafficPolicy counts, and of subsets with one name the first one.";
    SUBSET_WITHOUT_ENDPOINTS = "SG0527", "a subset has no endpoints",
        "No endpoint has all labels of the subset, so requests to it are answered 503. Labels are those of a ServiceEntry's endpoint or of an EndpointSlice.";
    TLS_UNVERIFIED = "SG0528", "a DestinationRule does not verify the server",
        "insecureSkipVerify takes whoever answers for the upstream. The connection is safe from listeners only.";
    FILTER_REFUSED = "SG0601", "a filter's component is refused",
        "The component does not fit the contract, wants what it was not granted, or is no component. The filter's \
         earlier version, where there is one, goes on serving.";
    FILTER_FAILED = "SG0602", "a filter failed while it was configured",
        "The filter trapped or ran too long when it was given its documents. The change does not take effect.";
    FILTER_DUPLICATE = "SG0603", "two filters of one directory have the same name",
        "The first file in order of name counts.";
    FILTER_ROLLED_BACK = "SG0604", "a version of a filter was taken back",
        "It did worse than the version before it, or an operator took it back. The version before serves until the file, \
          the settings or the documents change; `sluice filter history` says why, `sluice filter promote` tries it again.";
    FILTER_SELF_TEST = "SG0605", "a filter does not pass the tests beside it",
        "A file NAME.cases.yaml beside NAME.wasm holds tests as `sluice test` reads them. A new version that does not \
          pass them does not take effect; `rollout: {selfTest: false}` in its Filter document leaves them out.";
    FILTER_PINNED = "SG0606", "a filter is pinned to another version",
        "An operator wants the version in force to stay whatever the file says, until `sluice filter unpin`.";
    FILTER_KEY = "SG0607", "a key that filters are to be signed by cannot be used",
        "The file is not there, or holds no public key of Ed25519 or ECDSA P-256 in PEM. Nothing changes until it does.";
    GATEWAY_PORT = "SG0701", "a port of a Gateway cannot be opened as it is written",
        "Ports of one Gateway have different names, and an address is for plain connections or for TLS, not for both.";
    GATEWAY_TLS = "SG0702", "fields of a Gateway's TLS do not go together",
        "HTTPS needs a certificate from one source, and authorities where clients show one too; plain HTTP has none of it.";
    GATEWAY_PROTOCOL = "SG0703", "a protocol of a Gateway is not served",
        "The port is not opened. HTTP, HTTP2, GRPC, GRPC-WEB and HTTPS are served, and TLS that is passed on undecrypted.";
    GATEWAY_HOST = "SG0704", "a host of a Gateway is not valid, or taken",
        "A host is a DNS name, such a name after `*.`, or `*`. Among TLS servers of one port each host belongs to one.";
    CERTIFICATE_MISSING = "SG0705", "a certificate or key is not there",
        "Certificates are in a Secret of the Gateway's namespace, or in files whose paths are relative to the document's.";
    CERTIFICATE_INVALID = "SG0706", "a certificate or key cannot be read",
        "Both are PEM text: the certificate first, then its issuers; the key without a password.";
    CERTIFICATE_KEY = "SG0707", "a key does not belong to its certificate",
        "Often one of the two was renewed and the other was not.";
    CERTIFICATE_EXPIRED = "SG0708", "a certificate is not valid at this time",
        "The proxy shows it all the same, and clients refuse it.";
    CERTIFICATE_NAME = "SG0709", "a certificate is not for a host that it is used for",
        "Clients compare the names in the certificate with the one that they ask for.";
    REFERENCE_GRANT = "SG0710", "a Gateway may not use a Secret of another namespace",
        "A ReferenceGrant in the Secret's namespace allows it, from kind Gateway to kind Secret.";
    TLS_VERSION = "SG0711", "a version of TLS is not spoken",
        "TLS 1.2 and 1.3 are spoken; older versions are broken.";
    TLS_CIPHER = "SG0712", "a cipher suite is unknown or given twice",
        "Names are OpenSSL's. The six of TLS 1.2 that are still safe are known; those of TLS 1.3 cannot be chosen.";
    LISTEN = "SG0713", "an address cannot be listened on",
        "The change does not take effect; the system's own words are in the message.";
    GATEWAY_WITHOUT_EFFECT = "SG0714", "a field of a Gateway's TLS has no effect",
        "What a client has to show is looked at in the modes MUTUAL and OPTIONAL_MUTUAL only; in others everyone is let in.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_sorted_and_well_formed() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} before {}", pair[0].code, pair[1].code);
        }
        for code in TABLE {
            assert!(code.code.len() == 6 && code.code.starts_with("SG0"), "{}", code.code);
            assert!(code.explanation.ends_with('.') && !code.title.ends_with('.'), "{}", code.code);
        }
    }

    #[test]
    fn a_code_is_explained_in_either_case() {
        assert_eq!(explain("sg0005").map(|code| code.code), Some(DUPLICATE_KEY));
        assert_eq!(explain("SG9999"), None);
    }
}
