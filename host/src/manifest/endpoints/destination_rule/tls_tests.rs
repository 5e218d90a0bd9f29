//! `tls` of a traffic policy: files, Secrets, and what does not go together.

use super::super::tests::registry_of;
use super::tests::{SERVICES, policy, rule};
use crate::tls::testing::Authority;
use std::fs;

fn found(secrets: &str, tls: &str) -> (bool, Vec<String>) {
    let rule = rule("a", "default", &format!("{{host: shop, trafficPolicy: {{tls: {tls}}}}}"));
    let (registry, findings) = registry_of(&format!("{SERVICES}{rule}{secrets}"));
    (policy(&registry, "shop", 80, None).tls.is_some(), findings)
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}

fn secret(name: &str, fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, text)| format!("  {name}: |\n{}", indented(text))).collect();
    let fields = fields.concat();
    format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData:\n{fields}")
}

#[test]
fn files_and_secrets_are_read() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["proxy"]);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).unwrap();
        directory.path().join(name).display().to_string()
    };
    let (ca, chain) = (file("ca.pem", &authority.certificate()), file("chain.pem", &pair.certificate));
    let key = file("key.pem", &pair.key);
    let certificate = [("tls.crt", pair.certificate.as_str()), ("tls.key", pair.key.as_str())];
    let ca_text = authority.certificate();
    let whole = secret("proxy", &[certificate[0], certificate[1], ("ca.crt", &ca_text)]);
    let split = secret("proxy", &certificate) + &secret("proxy-cacert", &[("cacert", &ca_text)]);
    let table = [
        (String::new(), format!("{{mode: SIMPLE, caCertificates: {ca}, sni: shop.example}}")),
        (
            String::new(),
            format!("{{mode: MUTUAL, caCertificates: {ca}, clientCertificate: {chain}, privateKey: {key}}}"),
        ),
        (whole.clone(), "{mode: SIMPLE, credentialName: proxy}".to_owned()),
        (whole, "{mode: MUTUAL, credentialName: proxy, subjectAltNames: [shop.example]}".to_owned()),
        (split, "{mode: MUTUAL, credentialName: proxy}".to_owned()),
    ];
    for (secrets, tls) in table {
        assert_eq!(found(&secrets, &tls), (true, Vec::new()), "{tls}");
    }
    assert_eq!(found("", "{mode: DISABLE}"), (false, Vec::new()));
}

#[test]
fn tls_that_is_described_and_not_spoken_is_an_error_unless_somebody_wrote_so() {
    let fields = [
        "clientCertificate: a.pem",
        "privateKey: a.pem",
        "caCertificates: ca.pem",
        "credentialName: proxy",
        "subjectAltNames: [shop.example]",
        "sni: shop.example",
        "insecureSkipVerify: false",
    ];
    for field in fields {
        let (on, findings) = found("", &format!("{{{field}}}"));
        assert!(!on && findings.len() == 1, "{field}: {findings:?}");
        assert!(
            findings[0].starts_with("a.yaml:13:36: error[SG0521]: without `mode` no TLS is spoken"),
            "{findings:?}"
        );
        let (on, findings) = found("", &format!("{{mode: DISABLE, {field}}}"));
        assert!(!on && findings.len() == 1, "{field}: {findings:?}");
        assert!(findings[0].starts_with("a.yaml:13:36: warning[SG0524]: the other fields of `tls`"), "{findings:?}");
    }
    assert_eq!(found("", "{}"), (false, Vec::new()));
}

#[test]
fn what_is_wrong_with_tls_is_said_at_its_place() {
    let table = [
        ("{mode: ISTIO_MUTUAL}", "13:48: error[SG0523]: mode ISTIO_MUTUAL takes its certificates from a mesh"),
        ("{mode: MUTUAL}", "13:36: error[SG0521]: mode MUTUAL shows a certificate, and none is given"),
        (
            "{mode: SIMPLE, clientCertificate: a.pem}",
            "13:36: error[SG0521]: a certificate is only shown in mode MUTUAL",
        ),
        ("{mode: SIMPLE, caCertificates: gone.pem}", "13:72: error[SG0"),
        ("{mode: SIMPLE, credentialName: gone}", "13:72: error[SG0"),
        (
            "{mode: SIMPLE, insecureSkipVerify: true}",
            "13:76: warning[SG0528]: the server's certificate is not verified",
        ),
        ("{mode: SIMPLE, insecureSkipVerify: true, sni: 'a b'}", "13:76: warning[SG0528]"),
    ];
    for (tls, expected) in table {
        let (_, findings) = found("", tls);
        assert!(findings[0].starts_with(&format!("a.yaml:{expected}")), "{tls}: {findings:?}");
    }
    let (on, findings) = found("", "{mode: SIMPLE, insecureSkipVerify: true, sni: 'a b'}");
    assert!(!on && findings.iter().any(|found| found.contains("`a b` is neither a DNS name")), "{findings:?}");
}

#[test]
fn no_finding_shows_what_a_secret_holds() {
    let broken =
        secret("proxy", &[("tls.crt", "TOP-SECRET-1"), ("tls.key", "TOP-SECRET-2"), ("ca.crt", "TOP-SECRET-3")]);
    let (on, findings) = found(&broken, "{mode: MUTUAL, credentialName: proxy}");
    assert!(!on && findings.len() == 1, "{findings:?}");
    assert!(!findings[0].contains("TOP-SECRET"), "{findings:?}");
}
