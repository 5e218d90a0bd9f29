//! What to try while the demo runs.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The guide, with the addresses and files of this run. Each command is one line that a shell takes as it is.
#[derive(Debug)]
pub(super) struct Guide<'a> {
    /// Where the proxy listens.
    pub(super) listen: SocketAddr,
    /// Where its admin endpoints are.
    pub(super) admin: SocketAddr,
    /// The directory of the manifests.
    pub(super) manifests: &'a Path,
    /// Whether the directory stays when the demo ends.
    pub(super) kept: bool,
    /// This program.
    pub(super) program: PathBuf,
}

/// One thing to try: what it shows, and the command.
struct Try {
    shows: &'static str,
    command: String,
}

/// The one file that is added while the proxy runs: a way to the catalogue, which no manifest has.
const CATALOGUE: &str = r#"{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"catalogue"},"spec":{"hosts":["catalogue"],"http":[{"route":[{"destination":{"host":"product-service"}}]}]}}"#;
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
        let file = self.manifests.join("catalogue.json");
        let file = word(&file);
        let ask = format!("curl -H 'Host: catalogue' http://{}/products", self.listen);
        vec![
            Try {
                shows: "hot reload: a new file is in effect within a second, and product-service can be reached",
                command: format!("echo '{CATALOGUE}' > {file} && sleep 1 && {ask}"),
            },
            Try {
                shows: "a broken file never takes effect: the log says where and why, requests are answered as before",
                command: format!("echo '{{' > {file} && sleep 1 && {ask}"),
            },
            Try {
                shows: "back to how it was: nobody knows of a catalogue",
                command: format!("rm {file} && sleep 1 && {ask}"),
            },
        ]
    }

    fn insights(&self) -> Vec<Try> {
        let (admin, program, manifests) = (self.admin, word(&self.program), word(self.manifests));
        vec![
            Try {
                shows: "which filter decides what, which route matches, and why the others do not",
                command: format!("{program} explain --admin {admin} http://product-service/products"),
            },
            Try {
                shows: "every finding in the directory, with file, line and column",
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
        writeln!(out, "\nThe shop is open: http://{}, admin http://{}", self.listen, self.admin)?;
        let end = if self.kept { "it stays when the demo ends" } else { "it goes when the demo ends" };
        writeln!(out, "Its manifests are yours to edit: {} ({end})\n", self.manifests.display())?;
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

/// A path as one word of a shell.
fn word(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@%,:".contains(character);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guide(manifests: &str, kept: bool) -> String {
        let guide = Guide {
            listen: ([127, 0, 0, 1], 8123).into(),
            admin: ([127, 0, 0, 1], 9999).into(),
            manifests: Path::new(manifests),
            kept,
            program: "/opt/sluice".into(),
        };
        guide.to_string()
    }

    #[test]
    fn the_guide_speaks_of_this_run() {
        let text = guide("/tmp/demo", false);
        let parts = ["http://127.0.0.1:8123/orders", "http://127.0.0.1:9999/metrics", "/opt/sluice check /tmp/demo\n"];
        for part in parts {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(!text.contains(":8080"), "an address of another run");
        assert!(text.contains("it goes when") && guide("/tmp/demo", true).contains("it stays when"));
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert!(guide("/tmp/my demo", false).contains("check '/tmp/my demo'\n"));
        assert_eq!(word(Path::new("/tmp/it's")), r"'/tmp/it'\''s'");
    }

    #[test]
    fn what_is_to_be_pasted_is_valid_json() {
        for text in [CATALOGUE, ORDER] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }
}
