//! Ten thousand VirtualServices are nothing special: they load with the defaults, and a change concerns what has changed.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Options, Proxy, Upstream, wait_until};
use std::time::Duration;

const COUNT: usize = 10_000;
/// For a change, in a development build on a busy machine.
const IN_EFFECT: Duration = Duration::from_secs(30);

/// Two rules: one with a rewrite, a timeout and weights, one for everything else.
fn virtual_service(number: usize, answer: &str) -> String {
    format!(
        "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: service-{number}}}
spec:
  hosts: [service-{number}.example.com]
  http:
    - match: [{{uri: {{prefix: /api/}}}}]
      rewrite: {{uri: /}}
      timeout: 3s
      route:
        - destination: {{host: shop}}
          weight: 90
        - destination: {{host: shop, port: {{number: 80}}}}
          weight: 10
    - directResponse: {{status: 200, body: {{string: {answer}}}}}
"
    )
}

fn file(number: usize) -> String {
    format!("service-{number}.yaml")
}

fn started(upstream: &Upstream) -> Proxy {
    let mut options = Options::new().upstream("shop", upstream.address()).argument("--workers").argument("2");
    for number in 0..COUNT {
        options = options.manifest(&file(number), virtual_service(number, &format!("page-{number}")));
    }
    Proxy::start(options)
}

fn page(proxy: &Proxy, number: usize) -> String {
    proxy.get(&format!("http://service-{number}.example.com/")).text()
}

fn failure(proxy: &Proxy) -> serde_json::Value {
    proxy.ask_admin("/config").json()["last_reload_failure"].clone()
}

#[test]
fn ten_thousand_virtual_services_load_with_the_defaults_and_change_one_by_one() {
    let upstream = Upstream::start();
    let proxy = started(&upstream);
    assert_eq!(page(&proxy, 0), "page-0");
    assert_eq!(page(&proxy, 9_999), "page-9999");
    assert_eq!(proxy.get("http://service-5000.example.com/api/orders").status, 200);

    for change in 0..4 {
        let changed = format!("changed-{change}");
        proxy.manifests().replace(&file(7), virtual_service(7, &changed));
        wait_until(IN_EFFECT, || page(&proxy, 7) == changed);
        assert_eq!(page(&proxy, 8), "page-8");
        assert_eq!(page(&proxy, 107), "page-107", "its neighbour");
    }

    let bad = virtual_service(8, "never").replace("weight: 90", "weight: -90");
    proxy.manifests().replace(&file(8), bad);
    wait_until(IN_EFFECT, || !failure(&proxy).is_null());
    let said = failure(&proxy).to_string();
    assert!(said.contains("service-8.yaml") && said.contains(":12:"), "{said}");
    assert_eq!((page(&proxy, 8), page(&proxy, 7)), ("page-8".to_owned(), "changed-3".to_owned()));

    proxy.manifests().replace(&file(8), virtual_service(8, "repaired"));
    wait_until(IN_EFFECT, || page(&proxy, 8) == "repaired");
    proxy.manifests().remove(&file(9));
    wait_until(IN_EFFECT, || proxy.get("http://service-9.example.com/").status != 200);
    proxy.manifests().write(&file(COUNT), virtual_service(COUNT, "added"));
    wait_until(IN_EFFECT, || page(&proxy, COUNT) == "added");
    assert_eq!(page(&proxy, 9_998), "page-9998");
}
