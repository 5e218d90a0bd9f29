use super::*;
use crate::config::Upstream;

#[test]
fn several_flags_for_one_name_add_endpoints() {
    let mut registry = Registry::new(Names::default());
    for text in ["a:80=127.0.0.1:1", "a:80=127.0.0.1:2", "a:81=127.0.0.1:3", "*=127.0.0.1:4", "*=127.0.0.1:5"] {
        registry.add_upstream(&Upstream::parse(text).unwrap(), &[]);
    }
    let ports = |host: &str, port| {
        let cluster = registry.find(host, port)?;
        Some(cluster.members().iter().map(|member| member.endpoint.address.port()).collect::<Vec<_>>())
    };
    assert_eq!(ports("a", Some(80)), Some(vec![1, 2]));
    assert_eq!(ports("a.default.svc", Some(81)), Some(vec![3]));
    assert_eq!(ports("a.default.svc.cluster.local", None), Some(vec![1, 2]));
    assert_eq!(ports("a", Some(82)), None);
    assert_eq!(ports("other", Some(82)), Some(vec![4, 5]));
}

#[test]
fn short_names_get_namespace_and_domain_and_others_only_lower_case() {
    let names = Names { namespace: "default".into(), cluster_domain: "example.local".into() };
    let table = [
        ("Shop", "store", "shop.store.svc.example.local"),
        ("API.Example.com", "store", "api.example.com"),
        ("*", "store", "*"),
        ("::1", "store", "::1"),
    ];
    for (host, namespace, expected) in table {
        assert_eq!(names.expand(host, namespace), expected);
    }
}
