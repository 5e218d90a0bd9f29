use super::*;

fn parsed(text: &str) -> String {
    match parse_upstream(text) {
        Ok(upstream) => {
            let addresses: Vec<_> = upstream.addresses.iter().map(ToString::to_string).collect();
            let name = upstream.name.as_deref().unwrap_or("any");
            format!("{name}:{} -> {}", upstream.port.map_or("any".into(), |port| port.to_string()), addresses.join(" "))
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_flag_takes_names_ports_and_addresses_of_every_form() {
    let table = [
        ("inventory-service:80=127.0.0.1:9001", "inventory-service:80 -> 127.0.0.1:9001"),
        ("Shop=127.0.0.1:9000", "shop:any -> 127.0.0.1:9000"),
        ("*=127.0.0.1:9000", "any:any -> 127.0.0.1:9000"),
        ("a.b.svc:8080=10.0.0.1", "a.b.svc:8080 -> 10.0.0.1:8080"),
        ("a=10.0.0.1", "a:any -> 10.0.0.1:80"),
        ("a=[::1]:9000", "a:any -> [::1]:9000"),
        ("a:81=[::1]", "a:81 -> [::1]:81"),
        ("a=::1", "a:any -> [::1]:80"),
        ("a=http://127.0.0.1:9000/", "a:any -> 127.0.0.1:9000"),
        ("a=localhost:9000", "a:any -> 127.0.0.1:9000"),
    ];
    for (text, expected) in table {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn what_the_flag_does_not_take_is_explained() {
    let table = [
        ("127.0.0.1:9000", "names no address"),
        ("a=", "names no address"),
        ("=127.0.0.1:1", "is no service name"),
        ("a b=127.0.0.1:1", "is no service name"),
        ("a:0=127.0.0.1:1", "`0` is no port"),
        ("a=127.0.0.1:99999", "`99999` is no port"),
        ("a=https://127.0.0.1:1", "is not plain HTTP"),
        ("a=http://127.0.0.1:1/path", "holds a path"),
        ("a=nowhere.invalid:80", "could not be resolved"),
    ];
    for (text, expected) in table {
        assert!(parsed(text).contains(expected), "{text}: {}", parsed(text));
    }
}

#[test]
fn several_flags_for_one_name_add_endpoints() {
    let mut registry = Registry::new(Names::default());
    for text in ["a:80=127.0.0.1:1", "a:80=127.0.0.1:2", "a:81=127.0.0.1:3", "*=127.0.0.1:4", "*=127.0.0.1:5"] {
        registry.add_upstream(parse_upstream(text).unwrap());
    }
    let ports = |host: &str, port| {
        let cluster = registry.find(host, port)?;
        Some(cluster.endpoints().iter().map(|endpoint| endpoint.address.port()).collect::<Vec<_>>())
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
