//! nginx with njs, from the template in `tests/peers/compose-nginx`.

use super::{Origins, Peer, Stage, source};
use anyhow::{Context, Result};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

/// The module, from the root of the unpacked packages.
const MODULE: &str = "usr/lib/nginx/modules/ngx_http_js_module.so";

pub(super) fn command(stage: &Stage<'_>, name: &str, listen: SocketAddr) -> Result<Command> {
    let nginx = stage.peers.get(Peer::Nginx)?;
    let root = nginx.program.ancestors().nth(3).context("nginx stands in usr/sbin")?;
    let source = source(stage.workspace, "compose-nginx");
    let template = source.join("nginx.conf");
    let template = fs::read_to_string(&template).with_context(|| format!("{} cannot be read", template.display()))?;
    let directory = stage.empty_directory(name, "files")?;
    let Origins { order, inventory, .. } = stage.origins;
    let text = filled(
        &template,
        &[
            ("MODULE", root.join(MODULE).display().to_string()),
            ("DIRECTORY", directory.display().to_string()),
            ("SCRIPT", source.join("compose.js").display().to_string()),
            ("LISTEN", listen.to_string()),
            ("ORDER", order.to_string()),
            ("INVENTORY", inventory.to_string()),
        ],
    );
    let file = stage.write(name, "conf", &text)?;
    let mut command = stage.peer(Peer::Nginx)?;
    command.arg("-p").arg(&directory).arg("-e").arg(directory.join("error.log")).arg("-c").arg(file);
    Ok(command)
}

/// The template with each `@NAME@` replaced.
fn filled(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_template_is_filled_in() {
        let values =
            ["MODULE", "DIRECTORY", "SCRIPT", "LISTEN", "ORDER", "INVENTORY"].map(|name| (name, "x".to_owned()));
        let template = include_str!("../../../../tests/peers/compose-nginx/nginx.conf");
        assert!(template.contains("listen @LISTEN@;"));
        let text = filled(template, &values);
        assert!(text.contains("listen x;"), "{text}");
        let settings = text.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(settings.filter(|line| line.contains('@')).count(), 0, "{text}");
    }
}
