//! Which host counts for the precedence of routes.

mod support;

use support::gateway::{edge, get, listener, route_to, rule};
use support::{outcome, router};

#[test]
fn the_host_that_a_route_names_decides_before_its_path_however_narrow_the_listener_is() {
    for (wide, narrow, expected) in [
        ("'*.example.com'", "a.example.com", "narrow"),
        ("'*.com'", "'*.example.com'", "narrow"),
        ("'*.com', b.example.net", "a.example.com", "narrow"),
        ("'*.example.com', a.example.com", "a.example.com", "wide"),
        ("", "'*.example.com'", "wide"),
        ("", "a.example.com", "wide"),
    ] {
        let wide_route = route_to("r1", "{name: edge}", wide, &rule("{path: {type: PathPrefix, value: /foo}}", "wide"));
        let narrow_route = route_to("r2", "{name: edge}", narrow, &rule("{path: {value: /}}", "narrow"));
        let yaml = edge(&listener("http", 80, ", hostname: a.example.com")) + &wide_route + &narrow_route;
        assert_eq!(outcome(&router(&yaml), &get("a.example.com", "/foo")), expected, "{wide} and {narrow}");
    }
}
