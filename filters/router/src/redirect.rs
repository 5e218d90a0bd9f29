//! Sends the client elsewhere.

use crate::code;
use crate::config::{DerivePort, Redirect as Written};
use crate::host;
use crate::matcher::PathMatch;
use crate::report::{Place, Report};
use crate::rewrite::{PathChange, check_authority, replace_matched};
use crate::view::{View, default_port};

const DEFAULT_CODE: u16 = 301;
/// The codes that have a `Location` and are known to keep or change the method as RFC 9110, section 15.4 says.
const CODES: [u16; 5] = [301, 302, 303, 307, 308];

/// A resolved redirect.
#[derive(Debug)]
pub struct Redirect {
    /// The status.
    pub status: u16,
    path: NewPath,
    authority: Option<String>,
    port: NewPort,
    scheme: Option<String>,
}

#[derive(Debug)]
enum NewPath {
    Kept,
    Whole(String),
    Prefix(String),
    /// As the Gateway API replaces paths.
    Changed(PathChange),
}

#[derive(Debug, Clone, Copy)]
enum NewPort {
    Kept,
    Given(u16),
    Addressed,
    /// As the Gateway API has it: this one, or else that of a new scheme, or else the one that was spoken to. What the
    /// client of a Gateway wrote behind the host never counts.
    Derived(Option<u16>),
}

impl Redirect {
    /// A redirect as the Gateway API knows it: what is none stays, but for the port.
    pub fn changed(
        status: u16,
        scheme: Option<String>,
        hostname: Option<String>,
        port: Option<u16>,
        path: Option<PathChange>,
    ) -> Self {
        let path = path.map_or(NewPath::Kept, NewPath::Changed);
        Self { status, path, authority: hostname, port: NewPort::Derived(port), scheme }
    }

    /// Resolves a redirect as written at `place`.
    pub fn resolve(written: &Written, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (uri, prefix) = (given(&written.uri), given(&written.prefix_rewrite));
        let (authority, scheme) = (given(&written.authority), given(&written.scheme));
        check_conflicts(written, place, report);
        let port_given = written.port.is_some() || written.derive_port.is_some();
        if uri.is_none() && prefix.is_none() && authority.is_none() && scheme.is_none() && !port_given {
            let help = "add one of `uri`, `prefixRewrite`, `authority`, `port`, `derivePort` and `scheme`";
            report.error(place, code::REDIRECT, "the redirect leads back to where it comes from", help);
        }
        check_scheme(scheme.as_deref(), &place.key("scheme"), report);
        if let Some(authority) = &authority {
            check_authority(authority, &place.key("authority"), report);
        }
        for (text, member) in [(&uri, "uri"), (&prefix, "prefixRewrite")] {
            check_path(text.as_deref(), &place.key(member), report);
        }
        let port = new_port(written, place, report);
        let status = status(written.redirect_code, &place.key("redirectCode"), report)?;
        let path = match (uri, prefix) {
            (Some(uri), _) => NewPath::Whole(uri),
            (None, Some(prefix)) => NewPath::Prefix(prefix),
            (None, None) => NewPath::Kept,
        };
        Some(Self { status, path, authority, port: port?, scheme })
    }

    /// The `Location` for a request.
    pub fn location(&self, matched: PathMatch, view: &View<'_>) -> String {
        let scheme = self.scheme.as_deref().unwrap_or_else(|| view.scheme());
        let port = match self.port {
            NewPort::Kept => None,
            NewPort::Given(port) => Some(port),
            NewPort::Addressed => view.addressed_port(),
            NewPort::Derived(given) => given.or_else(|| self.scheme.is_none().then(|| view.addressed_port()).flatten()),
        };
        let bare = matches!(self.port, NewPort::Derived(_));
        let port = port.filter(|&port| default_port(scheme) != Some(port));
        let authority = match &self.authority {
            Some(authority) if port.is_some() => host::without_port(authority),
            Some(authority) => authority.as_str(),
            None => kept_authority(view, scheme, bare || port.is_some()),
        };
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{scheme}://{authority}{port}{}", self.path_and_query(matched, view))
    }

    fn path_and_query(&self, matched: PathMatch, view: &View<'_>) -> String {
        let path = match &self.path {
            NewPath::Kept => view.path().to_owned(),
            // A query of its own takes the place of the request's.
            NewPath::Whole(uri) if uri.contains('?') => return uri.clone(),
            NewPath::Whole(uri) => uri.clone(),
            NewPath::Prefix(prefix) => replace_matched(view.path(), matched, prefix),
            NewPath::Changed(change) => change.apply(view.path(), matched),
        };
        match view.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        }
    }
}

/// The same request by https, on its usual port: which port of which host ends TLS is nothing that a plain port knows.
pub fn to_https(view: &View<'_>) -> String {
    let query = view.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("https://{}{}{query}", host::without_port(view.authority()), view.path())
}

/// The authority of the request. The client's own port survives, unless a new one takes its place or it is the old
/// scheme's default and the scheme changes.
fn kept_authority<'a>(view: &'a View<'_>, scheme: &str, new_port: bool) -> &'a str {
    let authority = view.authority();
    let host = host::without_port(authority);
    let old_default = || {
        let port = authority.get(host.len() + 1..).and_then(|port| port.parse().ok());
        view.scheme() != scheme && port.is_some() && port == default_port(view.scheme())
    };
    if new_port || old_default() { host } else { authority }
}

fn check_conflicts(written: &Written, place: &Place, report: &mut Report<'_>) {
    if written.uri.is_some() && written.prefix_rewrite.is_some() {
        let help = "keep one of the two";
        report.error(place, code::CONFLICT, "`uri` and `prefixRewrite` exclude each other", help);
    }
    if written.port.is_some() && written.derive_port.is_some() {
        let help = "keep one of the two";
        report.error(place, code::CONFLICT, "`port` and `derivePort` exclude each other", help);
    }
}

fn check_scheme(scheme: Option<&str>, place: &Place, report: &mut Report<'_>) {
    if let Some(scheme) = scheme.filter(|scheme| !matches!(*scheme, "http" | "https")) {
        report.error(
            place,
            code::REDIRECT,
            format!("`{scheme}` is not a scheme to redirect to"),
            "write http or https",
        );
    }
}

fn check_path(path: Option<&str>, place: &Place, report: &mut Report<'_>) {
    let Some(path) = path else { return };
    if path.chars().any(|character| character.is_whitespace() || character.is_control() || !character.is_ascii()) {
        report.error(
            place,
            code::REDIRECT,
            "the path has characters that a `Location` cannot carry",
            "percent-encode them",
        );
    } else if !path.starts_with('/') {
        report.error(
            place,
            code::REDIRECT,
            format!("the path `{path}` does not start with `/`"),
            format!("write /{path}"),
        );
    }
}

fn new_port(written: &Written, place: &Place, report: &mut Report<'_>) -> Option<NewPort> {
    match (written.port, written.derive_port) {
        (None, None | Some(DerivePort::FromProtocolDefault)) => Some(NewPort::Kept),
        (None, Some(DerivePort::FromRequestPort)) => Some(NewPort::Addressed),
        (Some(number), _) => {
            let port = u16::try_from(number).ok().filter(|&port| port > 0);
            if port.is_none() {
                let message = format!("{number} is not a port");
                report.error(&place.key("port"), code::REDIRECT, message, "use a number from 1 to 65535");
            }
            port.map(NewPort::Given)
        }
    }
}

fn status(written: Option<i64>, place: &Place, report: &mut Report<'_>) -> Option<u16> {
    let number = written.filter(|&number| number != 0).unwrap_or(i64::from(DEFAULT_CODE));
    let status = CODES.into_iter().find(|&code| i64::from(code) == number);
    if status.is_none() {
        let message = format!("{number} is not a status to redirect with");
        report.error(place, code::REDIRECT, message, "use 301, 302, 303, 307 or 308");
    }
    status
}
