//! `sluice explain`: a request, and whom to ask about it.

use super::ask::Format;
use super::sources::Sources;
use clap::{Args, ValueHint};

/// Shows what would become of a request, and why
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sluice explain http://shop/orders
      asks the instance at 127.0.0.1:9901
  sluice explain --manifests manifests -X POST http://shop/orders -H 'content-type: application/json' -d '{}'
      asks nobody: loads the manifests and decides as a running proxy would
  sluice explain --manifests manifests --listener-port 8443 --sni shop.example https://shop.example/orders
      comes in by the listener that a Gateway document declares for port 8443, with this name in its TLS handshake

With Gateway documents, a request comes in by the port of its URL where they declare it, otherwise by their lowest port
that serves its scheme.

Nothing is sent anywhere. Exit codes: 0 explained, 1 refused, 2 usage, 3 no instance reached.")]
pub(crate) struct Explain {
    /// Method
    #[arg(short = 'X', long, default_value = "GET")]
    pub(crate) method: String,
    /// URL, with scheme and host
    pub(crate) url: String,
    /// Header; may be given several times; `host` takes the place of the URL's host
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Body
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) data: Option<String>,
    /// Port of the listener by which it comes in, as a Gateway document declares it
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) listener_port: Option<u16>,
    /// Server name in its TLS handshake, the URL's host by default; makes it https
    #[arg(long, value_name = "NAME")]
    pub(crate) sni: Option<String>,
    /// It comes in by the proxy's own listener, whatever Gateway documents declare
    #[arg(long)]
    pub(crate) mesh: bool,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Directory of manifests, or a file; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) manifests: Vec<String>,
    /// Running instance to ask, 127.0.0.1:9901 unless something is given of which a proxy is made, such as manifests
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["manifests", "Sources"])]
    pub(crate) admin: Option<String>,
    /// How it is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

impl Explain {
    /// Whether a running instance is to be asked.
    pub(crate) fn asks_instance(&self) -> bool {
        self.admin.is_some() || (self.manifests.is_empty() && !self.sources.is_given())
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("no `:` between name and value; write 'NAME: VALUE'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::super::{Arguments, Command};
    use super::header;
    use clap::Parser;

    #[test]
    fn explain_asks_an_instance_unless_it_is_given_what_to_load() {
        let asks = |line: &str| match parse(line) {
            Command::Explain(explain) => explain.asks_instance(),
            other => panic!("{other:?}"),
        };
        assert!(asks("sluice explain http://shop/"));
        assert!(asks("sluice explain http://shop/ --admin 127.0.0.1:1"));
        for given in [
            "--manifests m",
            "--config c",
            "--filters f",
            "--stock-filters f",
            "--filter-key k",
            "--require-signature",
            "--upstream *=127.0.0.1:1",
            "--namespace shop",
            "--cluster-domain example",
        ] {
            let line = format!("sluice explain http://shop/ {given}");
            assert!(!asks(&line), "{given}");
            let both = format!("{line} --admin 127.0.0.1:1");
            assert!(Arguments::try_parse_from(both.split(' ')).is_err(), "{given}");
        }
    }

    #[test]
    fn headers_are_name_and_value() {
        assert_eq!(header("x-a: b: c"), Ok(("x-a".into(), "b: c".into())));
        assert!(header("x-a").is_err());
    }
}
