use super::*;
use crate::config::{Flags, Settings};
use crate::manifest::{Diagnostics, parse};
use crate::tls::testing::{Authority, Pair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The plan as lines `port at address tls`, and the findings with their help.
fn plan_of(text: &str) -> (Vec<String>, Vec<String>) {
    plan_with(text, &["127.0.0.1:8080"], &[])
}

fn plan_with(text: &str, listen: &[&str], ports: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let flags = Flags { listen: owned(listen), gateway_ports: owned(ports), ..Flags::default() };
    let settings = Settings::load(None, flags).unwrap();
    let mut diagnostics = Diagnostics::new();
    let documents = parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
    assert!(diagnostics.is_empty(), "{:?}", diagnostics.lines());
    let documents: Vec<_> = documents.into_iter().map(Arc::new).collect();
    assert!(documents.iter().all(|document| claims(document)));
    let (mut files, mut memory) = (Files::default(), Memory::default());
    let plan = plan(&documents, &settings, &mut files, &mut memory, &mut diagnostics);
    let line = |planned: crate::listener::Planned| {
        let tls = planned.served.tls.map_or("", |_| " tls");
        format!("{} at {}{tls}", planned.served.port.unwrap(), planned.address)
    };
    diagnostics.sort();
    let mut rendered = Vec::new();
    diagnostics.render(&mut rendered, false).unwrap();
    assert!(!String::from_utf8(rendered).unwrap().contains("PRIVATE"), "a key is shown");
    let findings = diagnostics.iter().map(|found| match &found.help {
        Some(help) => format!("{} | {help}", found.line()),
        None => found.line(),
    });
    (plan.planned().into_iter().map(line).collect(), findings.collect())
}

fn istio(servers: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: g}}\nspec:\n  servers: {servers}\n---\n"
    )
}

fn kubernetes(listeners: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: k}}\nspec:\n  gatewayClassName: s\n  listeners: {listeners}\n---\n"
    )
}

fn secret(name: &str, pair: &Pair) -> String {
    secret_in("default", name, &pair.certificate, &pair.key)
}

fn secret_in(namespace: &str, name: &str, certificate: &str, key: &str) -> String {
    let (certificate, key) = (STANDARD.encode(certificate), STANDARD.encode(key));
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ntype: kubernetes.io/tls\ndata:\n  tls.crt: {certificate}\n  tls.key: {key}\n---\n"
    )
}

fn https(tls: &str) -> String {
    istio(&format!("[{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [shop.example], tls: {tls}}}]"))
}

#[test]
fn schemas_compile() {
    let texts =
        [include_str!("istio.schema.json"), include_str!("kubernetes.schema.json"), include_str!("secret.schema.json")];
    for text in texts {
        assert!(scope::compile("a kind", text).is_ok_and(|schema| !schema.findings(&serde_json::json!([])).is_empty()));
    }
}

#[test]
fn both_kinds_open_their_ports_where_the_proxy_listens() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let text = istio("[{port: {number: 80, name: http, protocol: HTTP}, hosts: ['store/*']}]")
        + &kubernetes(
            "[{name: a, port: 443, protocol: HTTPS, hostname: shop.example, tls: {certificateRefs: [{name: c}]}}, {name: b, port: 80, protocol: HTTP}]",
        )
        + &secret("c", &pair);
    assert_eq!(plan_of(&text), (vec!["80 at 127.0.0.1:80".into(), "443 at 127.0.0.1:443 tls".into()], vec![]));
    let (plan, findings) = plan_with(&text, &["0.0.0.0:1", "[::1]:1", "0.0.0.0:2"], &["80=8000", "443=127.0.0.1:0"]);
    assert_eq!(plan, ["80 at 0.0.0.0:8000", "80 at [::1]:8000", "443 at 127.0.0.1:0 tls"]);
    assert_eq!(findings, [""; 0]);
}

#[test]
fn a_server_with_an_address_listens_there_only() {
    let text = istio("[{port: {number: 80, name: http, protocol: HTTP}, bind: 127.0.0.9, hosts: ['*']}]");
    assert_eq!(plan_of(&text).0, ["80 at 127.0.0.9:80"]);
}

#[test]
fn what_is_wrong_with_servers_is_all_said_at_once() {
    let text = istio(
        "
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true}}
  - {port: {number: 81, name: http, protocol: HTTP}, hosts: ['a..b']}
  - {port: {number: 82, name: b, protocol: HTTP}, hosts: ['*'], tls: {mode: SIMPLE}}
  - {port: {number: 83, name: c, protocol: HTTPS}, hosts: ['*']}
  - {port: {number: 84, name: d, protocol: HTTTP}, hosts: ['*']}
  - {port: {number: 85, name: e, protocol: TCP}, hosts: ['*']}
  - {port: {number: 86, name: f, protocol: HTTP}, hosts: ['*'], bind: unix:/a}
  - {port: {number: 8080, name: h, protocol: HTTP}, hosts: ['*']}",
    );
    let (plan, findings) = plan_of(&text);
    assert_eq!(plan, ["80 at 127.0.0.1:80"]);
    let expected = [
        "a.yaml:7:31: error[SG0701]: another port of the Gateway is called `http`",
        "a.yaml:7:62: error[SG0704]: `a..b` is not a host | write a DNS name, `*.` and one, or `*`; a namespace may stand in front: `store/shop.example`",
        "a.yaml:8:77: error[SG0702]: `mode` has no place on a port of protocol HTTP | plain HTTP may have `httpsRedirect` only; for TLS write `protocol: HTTPS`",
        "a.yaml:9:5: error[SG0702]: a server of protocol HTTPS needs `tls` | write `tls: {mode: SIMPLE, credentialName: NAME}`",
        "a.yaml:10:44: error[SG0703]: `HTTTP` is not a protocol | the protocols are HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP and MONGO",
        "a.yaml:11:44: warning[SG0703]: protocol TCP is not served so: the port is not opened | HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, and TLS with `mode: PASSTHROUGH` are",
        "a.yaml:12:71: error[SG0701]: `unix:/a` is not an IP address | Unix sockets are not listened on",
        "a.yaml:13:21: error[SG0701]: 127.0.0.1:8080 is taken: the proxy's own listener has it | give the Gateway's port another number with `--gateway-port 8080=8080`",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn unknown_fields_are_errors_with_the_one_that_was_meant() {
    let text = istio("[{port: {number: 80, name: h, protocol: HTTP}, host: ['*'], tls: {httpsRedirct: true}}]")
        + &kubernetes("[{name: a, port: 80, protocl: HTTP}]")
        + "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndatas: {}\n";
    let (_, findings) = plan_of(&text);
    for expected in
        ["did you mean `hosts`?", "did you mean `httpsRedirect`?", "did you mean `protocol`?", "did you mean `data`?"]
    {
        assert!(findings.iter().any(|finding| finding.ends_with(expected)), "{expected}: {findings:#?}");
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_where_it_stands() {
    let authority = Authority::new("ca");
    let (pair, other) = (authority.issue(&["shop.example"]), authority.issue(&["shop.example"]));
    let gateway = https("{mode: SIMPLE, credentialName: c}");
    let table = [
        (
            secret_in("default", "d", &pair.certificate, &pair.key),
            "a.yaml:5:124: error[SG0705]: there is no Secret `c` in namespace `default`",
        ),
        (
            secret_in("store", "c", &pair.certificate, &pair.key),
            "a.yaml:5:124: error[SG0705]: there is no Secret `c` in namespace `default`",
        ),
        (
            secret_in("default", "c", &pair.certificate, &other.key),
            "a.yaml:13:3: error[SG0707]: `tls.key` of Secret default/c: the private key does not belong to the certificate",
        ),
        (
            secret_in("default", "c", "none", &pair.key),
            "a.yaml:12:3: error[SG0706]: `tls.crt` of Secret default/c: there is no certificate: expected PEM, beginning with `-----BEGIN CERTIFICATE-----`",
        ),
        (
            secret("c", &pair).replace("tls.key: ", "tls.key: '%' # "),
            "a.yaml:13:12: error[SG0706]: `tls.key` is not base64",
        ),
        (
            secret("c", &pair).replace("tls.key: ", "tls.kye: "),
            "a.yaml:11:1: error[SG0705]: the Secret has no `tls.key`",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: [a]\n".into(),
            "a.yaml:10:1: error[SG0111]: expected a mapping in `data`",
        ),
    ];
    for (secret, expected) in table {
        let (_, findings) = plan_of(&format!("{gateway}{secret}"));
        assert!(findings.iter().any(|finding| finding.starts_with(expected)), "{expected}\n{findings:#?}");
    }
}

#[test]
fn a_certificate_that_clients_will_refuse_is_warned_of() {
    let authority = Authority::new("ca");
    let day = Duration::from_hours(24);
    let now = SystemTime::now();
    let old = authority.issue_for(&["shop.example"], now - 2 * day, now - day);
    let gateway = https("{mode: SIMPLE, credentialName: c}");
    let (plan, findings) = plan_of(&(gateway.clone() + &secret("c", &old)));
    assert_eq!(plan, ["443 at 127.0.0.1:443 tls"]);
    assert!(
        findings[0]
            .starts_with("a.yaml:12:3: warning[SG0708]: `tls.crt` of Secret default/c: the certificate expired at 20")
    );
    let (_, findings) = plan_of(&(gateway + &secret("c", &authority.issue(&["b.example"]))));
    assert!(
        findings[0]
            .contains("warning[SG0709]: `tls.crt` of Secret default/c: the certificate is not for `shop.example`")
    );
}

#[test]
fn tls_fields_that_do_not_go_together_are_refused() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let table = [
        ("{credentialName: c}", "connections would pass through undecrypted"),
        ("{mode: PASSTHROUGH, credentialName: c}", "connections would pass through undecrypted"),
        ("{mode: AUTO_PASSTHROUGH, credentialName: c}", "connections would pass through undecrypted"),
        ("{mode: ISTIO_MUTUAL}", "ISTIO_MUTUAL takes the certificates of a mesh"),
        ("{mode: SIMPLE}", "the server has no certificate"),
        ("{mode: SIMPLE, credentialName: c, privateKey: k}", "come from several sources"),
        ("{mode: SIMPLE, privateKey: k}", "belong together"),
        ("{mode: SIMPLE, serverCertificate: no.crt, privateKey: no.key}", "the file no.crt cannot be read"),
        ("{mode: MUTUAL, credentialName: c}", "Secret c has no authorities"),
        ("{mode: MUTUAL, credentialName: c, caCertCredentialName: c}", "the Secret has no `ca.crt`"),
        ("{mode: MUTUAL, credentialName: c, caCertificates: no.pem}", "the file no.pem cannot be read"),
        ("{mode: SIMPLE, credentialName: c, maxProtocolVersion: TLSV1_1}", "versions before TLS 1.2 are not spoken"),
        (
            "{mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}",
            "the newest version is older than the oldest",
        ),
    ];
    for (tls, expected) in table {
        let (plan, findings) = plan_of(&(https(tls) + &secret("c", &pair)));
        assert!(
            findings.iter().any(|finding| finding.contains("error") && finding.contains(expected)),
            "{tls}: {findings:#?}"
        );
        assert_eq!(plan, [""; 0], "{tls}");
    }
}

#[test]
fn what_is_demanded_of_clients_in_a_mode_that_asks_them_for_nothing_is_warned_of() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let table = [
        ("caCertificates", "no.pem"),
        ("caCrl", "no.pem"),
        ("caCertCredentialName", "ca"),
        ("subjectAltNames", "[client.example]"),
        ("verifyCertificateSpki", "[c29tZQ==]"),
        ("verifyCertificateHash", "['00']"),
    ];
    for (field, value) in table {
        let tls = format!("{{mode: SIMPLE, credentialName: c, {field}: {value}}}");
        let (plan, findings) = plan_of(&(https(&tls) + &secret("c", &pair)));
        assert_eq!(plan, ["443 at 127.0.0.1:443 tls"]);
        // A list's place is that of its name.
        let column = if value.starts_with('[') { 127 } else { 129 + field.len() };
        let expected = format!("a.yaml:5:{column}: warning[SG0714]: `{field}` has no effect");
        assert!(findings.len() == 1 && findings[0].starts_with(&expected), "{findings:#?}");
        assert!(findings[0].contains("| write `mode: MUTUAL`"), "{findings:#?}");
    }
}

#[test]
fn mutual_tls_takes_authorities_from_where_they_are() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let encoded = STANDARD.encode(authority.certificate());
    let own = secret("c", &pair).replace("data:\n", &format!("data:\n  ca.crt: {encoded}\n"));
    let beside = |name: &str, field: &str| {
        let text =
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{{field}: {encoded}}}\n---\n");
        secret("c", &pair) + &text
    };
    let table = [
        ("{mode: MUTUAL, credentialName: c}", own),
        ("{mode: OPTIONAL_MUTUAL, credentialName: c}", beside("c-cacert", "cacert")),
        ("{mode: MUTUAL, credentialName: c, caCertCredentialName: ca}", beside("ca", "ca.crt")),
    ];
    for (tls, secrets) in table {
        assert_eq!(plan_of(&(https(tls) + &secrets)), (vec!["443 at 127.0.0.1:443 tls".to_owned()], vec![]), "{tls}");
    }
}

#[test]
fn cipher_suites_that_are_unknown_are_left_out_with_a_warning() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let suite = "ECDHE-ECDSA-AES128-GCM-SHA256";
    let tls = format!(
        "{{mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0, cipherSuites: [{suite}, {suite}, RC4]}}"
    );
    let (plan, findings) = plan_of(&(https(&tls) + &secret("c", &pair)));
    assert_eq!(plan.len(), 1);
    for expected in ["TLS 1.2 are not spoken", "is given twice", "RC4 is not known"] {
        assert!(
            findings.iter().any(|finding| finding.contains("warning") && finding.contains(expected)),
            "{findings:#?}"
        );
    }
}

#[test]
fn plain_and_tls_do_not_share_a_port_and_one_server_has_a_host() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let tls = "tls: {certificateRefs: [{name: c}]}";
    let listener =
        |name: &str, protocol: &str, rest: &str| format!("{{name: {name}, port: 443, protocol: {protocol}{rest}}}");
    let mixed =
        kubernetes(&format!("[{}, {}]", listener("a", "HTTP", ""), listener("b", "HTTPS", &format!(", {tls}"))));
    let (_, findings) = plan_of(&(mixed + &secret("c", &pair)));
    assert!(findings[0].contains("error[SG0701]: another server takes port 443 without TLS"), "{findings:#?}");
    let twice = https("{mode: SIMPLE, credentialName: c}")
        + &kubernetes(&format!("[{}]", listener("a", "HTTPS", &format!(", hostname: shop.example, {tls}"))));
    let (plan, findings) = plan_of(&(twice + &secret("c", &pair)));
    assert_eq!(plan, ["443 at 127.0.0.1:443 tls"]);
    assert!(
        findings[0].contains("warning[SG0704]: another server of port 443 takes `shop.example` already"),
        "{findings:#?}"
    );
}

#[test]
fn a_listener_of_the_gateway_api_is_checked_as_its_rules_say() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let table = [
        ("[{name: a, port: 443, protocol: HTTPS}]", "error[SG0702]: a listener of protocol HTTPS needs `tls`"),
        (
            "[{name: a, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: c}]}}]",
            "error[SG0702]: `tls` has no place",
        ),
        (
            "[{name: a, port: 443, protocol: HTTPS, tls: {mode: Passthrough}}]",
            "error[SG0702]: a listener of protocol HTTPS ends TLS",
        ),
        ("[{name: a, port: 443, protocol: HTTPS, tls: {}}]", "error[SG0702]: the listener has no certificate"),
        (
            "[{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c, kind: ConfigMap}]}}]",
            "error[SG0705]: certificates come from a Secret",
        ),
        (
            "[{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}], frontendValidation: {}}}]",
            "error[SG0702]: client certificates are no matter of a single listener",
        ),
        ("[{name: a, port: 80, protocol: HTTP, hostname: 10.0.0.1}]", "error[SG0704]: `10.0.0.1` is not a hostname"),
        (
            "[{name: a, port: 80, protocol: HTTP}, {name: a, port: 81, protocol: HTTP}]",
            "error[SG0701]: another listener is called `a`",
        ),
        (
            "[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}]",
            "error[SG0701]: another listener has the same port",
        ),
        ("[{name: a, port: 53, protocol: UDP}]", "warning[SG0703]: protocol UDP is not served so"),
    ];
    for (listeners, expected) in table {
        let (_, findings) = plan_of(&(kubernetes(listeners) + &secret("c", &pair)));
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:#?}");
    }
}

#[test]
fn authorities_for_clients_are_checked_once_and_close_the_listener_when_they_are_wrong() {
    let authority = Authority::new("ca");
    let certificate = authority.certificate().replace('\n', "\n    ");
    let given = |field: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: ca}}\ndata:\n  {field}: |\n    {certificate}\n---\n"
        )
    };
    let tls = "tls: {certificateRefs: [{name: c}]}";
    let listeners = format!(
        "[{{name: a, port: 443, protocol: HTTPS, hostname: shop.example, {tls}}}, {{name: b, port: 443, protocol: HTTPS, {tls}}}]"
    );
    let text = kubernetes(&listeners) + &secret("c", &authority.issue(&["shop.example"]));
    let checked = |frontend: &str, given: &str| {
        let tls = format!("gatewayClassName: s\n  tls: {{frontend: {frontend}}}");
        plan_of(&(text.replace("gatewayClassName: s", &tls) + given))
    };
    let demand = "{default: {validation: {caCertificateRefs: [{name: ca}]}}}";
    assert_eq!(checked(demand, &given("ca.crt")), (vec!["443 at 127.0.0.1:443 tls".to_owned()], vec![]));
    let table = [
        (demand.to_owned(), String::new(), "SG0705]: there is no ConfigMap `ca` in namespace `default`"),
        (demand.to_owned(), given("ca.pem"), "SG0705]: the ConfigMap `ca` has no `ca.crt`"),
        (demand.replace("name: ca", "name: ca, namespace: b"), String::new(), "SG0710]: namespace `b` does not let"),
        (demand.replace("name: ca", "name: ca, kind: Service"), String::new(), "SG0705]: authorities come from"),
        (
            demand.replace("[{name: ca}]", "[{name: ca}], mode: AllowInsecureFallback"),
            given("ca.crt"),
            "SG0702]: clients are not",
        ),
    ];
    for (frontend, given, expected) in table {
        let (plan, findings) = checked(&frontend, &given);
        assert!(plan.is_empty(), "{frontend}: {plan:?}");
        assert_eq!(findings.len(), 1, "{frontend}: {findings:?}");
        assert!(findings[0].contains(&format!("error[{expected}")), "{frontend}: {findings:?}");
    }
}

#[test]
fn tls_that_is_passed_on_needs_no_certificate() {
    let server = |protocol: &str, tls: &str| {
        istio(&format!("[{{port: {{number: 443, name: t, protocol: {protocol}}}, hosts: [a.example], tls: {tls}}}]"))
    };
    let listener = "[{name: t, port: 443, protocol: TLS, hostname: a.example, tls: {mode: Passthrough}}]";
    for text in [server("TLS", "{mode: PASSTHROUGH}"), server("HTTPS", "{}"), kubernetes(listener)] {
        assert_eq!(plan_of(&text), (vec!["443 at 127.0.0.1:443 tls".to_owned()], vec![]), "{text}");
    }
    let (plan, findings) = plan_of(&server("TLS", "{mode: SIMPLE, credentialName: c}"));
    assert!(plan.is_empty() && findings[0].contains("warning[SG0703]: protocol TLS is not served so"), "{findings:#?}");
}

#[test]
fn a_secret_of_another_namespace_takes_a_grant() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let listeners = "[{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c, namespace: keys}]}}]";
    let text = kubernetes(listeners) + &secret_in("keys", "c", &pair.certificate, &pair.key);
    let grant = |namespace: &str, from: &str, to: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: r, namespace: {namespace}}}\nspec:\n  from: [{{group: gateway.networking.k8s.io, kind: Gateway, namespace: {from}}}]\n  to: [{to}]\n"
        )
    };
    let secrets = "{group: '', kind: Secret}";
    let table = [
        (String::new(), false),
        (grant("keys", "default", secrets), true),
        (grant("keys", "default", "{group: '', kind: Secret, name: c}"), true),
        (grant("keys", "default", "{group: '', kind: Secret, name: d}"), false),
        (grant("keys", "default", "{group: '', kind: Service}"), false),
        (grant("keys", "other", secrets), false),
        (grant("default", "default", secrets), false),
    ];
    for (grant, granted) in table {
        let (_, findings) = plan_of(&format!("{text}{grant}"));
        assert_eq!(
            !findings.iter().any(|finding| finding.contains("error[SG0710]")),
            granted,
            "{grant}\n{findings:#?}"
        );
    }
}

#[test]
fn tls_that_has_not_changed_is_kept_and_sessions_with_it() {
    let pair = Authority::new("ca").issue(&["shop.example"]);
    let mut diagnostics = Diagnostics::new();
    let settings = Settings::load(None, Flags::default()).unwrap();
    let (mut files, mut memory) = (Files::default(), Memory::default());
    let mut config = |text: String| {
        let documents = parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
        let documents: Vec<_> = documents.into_iter().map(Arc::new).collect();
        memory.begin();
        let plan = plan(&documents, &settings, &mut files, &mut memory, &mut diagnostics);
        let servers = plan.planned().remove(0).served.tls.unwrap();
        match servers.server(0).unwrap().action.clone() {
            Action::Terminate(config) => config,
            Action::Pass => panic!("TLS is passed on"),
        }
    };
    let gateway = https("{mode: SIMPLE, credentialName: c}");
    let first = config(gateway.clone() + &secret("c", &pair));
    let again = config(
        gateway.clone() + &secret("c", &pair) + &istio("[{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}]"),
    );
    assert!(Arc::ptr_eq(&first, &again));
    let renewed = config(gateway + &secret("c", &Authority::new("ca").issue(&["shop.example"])));
    assert!(!Arc::ptr_eq(&first, &renewed));
}
