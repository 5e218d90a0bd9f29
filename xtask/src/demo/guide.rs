//! What to try while the demo runs.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

/// The guide, with the addresses and files of this run.
pub(crate) struct Guide<'a> {
    /// Where the proxy listens.
    pub(crate) listen: SocketAddr,
    /// Where its admin endpoints are.
    pub(crate) admin: SocketAddr,
    /// The directory of the manifests.
    pub(crate) manifests: &'a str,
    /// The proxy's executable.
    pub(crate) program: &'a Path,
}

/// One thing to try: what it shows, and the command.
struct Try {
    shows: &'static str,
    command: String,
}

/// A route that answers by itself, in the one file that is added while the proxy runs.
const GREETING: &str = r#"{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"hello"},"spec":{"hosts":["hello"],"http":[{"directResponse":{"status":200,"body":{"string":"hello, live\n"}}}]}}"#;
/// An order, as the inventory takes it.
const ORDER: &str = r#"{"product":"teapot","quantity":2}"#;

impl Guide<'_> {
    fn patterns(&self) -> Vec<Try> {
        let listen = self.listen;
        vec![
            Try {
                shows: "request-response: the host is order-service, the answer comes from inventory-service",
                command: format!("curl -i -H 'Host: order-service' http://{listen}/orders"),
            },
            Try {
                shows: "composition: one request, both services called in parallel, one merged JSON",
                command: format!("curl -i -H 'Host: product-service' http://{listen}/products"),
            },
            Try {
                shows: "a part that fails is reported beside the good one",
                command: format!(
                    "curl -i -H 'Host: product-service' 'http://{listen}/products?fail=inventory-service'"
                ),
            },
            Try {
                shows: "event: 202 as soon as the channel has it; the subscription then delivers it to inventory-service",
                command: format!(
                    "curl -i -H 'Host: orders-channel' -H 'ce-specversion: 1.0' -H 'ce-id: 1' \
                     -H 'ce-type: shop.order.placed' -H 'ce-source: /order-service' -H 'Content-Type: application/json' -d '{ORDER}' http://{listen}/"
                ),
            },
            Try {
                shows: "... and the stock has changed (the same ce-id again would change nothing)",
                command: format!("curl -H 'Host: inventory-service' http://{listen}/products"),
            },
        ]
    }

    fn reloads(&self) -> Vec<Try> {
        let (listen, manifests) = (self.listen, self.manifests);
        vec![
            Try {
                shows: "hot reload: a new file is in effect within a second",
                command: format!(
                    "echo '{GREETING}' > {manifests}/hello.json\n  curl -H 'Host: hello' http://{listen}/"
                ),
            },
            Try {
                shows: "a broken file never takes effect: the log says where and why, the requests go on as before",
                command: format!("echo '{{' > {manifests}/hello.json\n  curl -H 'Host: hello' http://{listen}/"),
            },
            Try { shows: "back to how it was", command: format!("rm {manifests}/hello.json") },
        ]
    }

    fn insights(&self) -> Vec<Try> {
        let (admin, program, manifests) = (self.admin, self.program.display(), self.manifests);
        vec![
            Try {
                shows: "which filter decides what, which route matches, and why the others do not",
                command: format!("{program} explain --admin {admin} -X GET http://product-service/products"),
            },
            Try {
                shows: "every finding in a directory, with file, line and column",
                command: format!("{program} check {manifests}"),
            },
            Try {
                shows: "the filters: version, state, why a newer one was refused",
                command: format!("{program} filter list --admin {admin}"),
            },
            Try { shows: "the metrics, one label for each filter", command: format!("curl http://{admin}/metrics") },
            Try { shows: "what is configured", command: format!("curl http://{admin}/config") },
        ]
    }
}

impl fmt::Display for Guide<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "\nThe shop is open: http://{}, admin http://{}\n", self.listen, self.admin)?;
        let chapters = [
            ("Three patterns, three filters", self.patterns()),
            ("Changes without a restart", self.reloads()),
            ("A look inside", self.insights()),
        ];
        for (title, tries) in chapters {
            writeln!(out, "{title}\n{}", "-".repeat(title.len()))?;
            for Try { shows, command } in tries {
                writeln!(out, "# {shows}\n  {command}\n")?;
            }
        }
        writeln!(out, "Ctrl-C ends it all.\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_speaks_of_this_run() {
        let guide = Guide {
            listen: ([127, 0, 0, 1], 8123).into(),
            admin: ([127, 0, 0, 1], 9999).into(),
            manifests: "some/manifests",
            program: Path::new("target/debug/sluice"),
        };
        let text = guide.to_string();
        for part in ["http://127.0.0.1:8123/orders", "http://127.0.0.1:9999/metrics", "target/debug/sluice explain"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(!text.contains(":8080"), "an address of another run");
    }

    #[test]
    fn what_is_to_be_pasted_is_valid_json() {
        for text in [GREETING, ORDER] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }
}
