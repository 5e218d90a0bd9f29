//! The admin endpoint, which other machines reach only where the file says so.

use super::merge::Merge;
use super::value::yes_or_no;
use crate::config::AdminAddress;
use crate::config::file::Text;
use crate::config::settings::DEFAULT_ADMIN;

impl Merge<'_> {
    /// The address, and whether it may be one that other machines reach.
    pub(super) fn admin(
        &mut self,
        flag: Option<String>,
        file: Option<Text>,
        allow: Option<Text>,
    ) -> (AdminAddress, bool) {
        let default = AdminAddress::Tcp(DEFAULT_ADMIN);
        let allow_remote = self.written(allow, yes_or_no).unwrap_or(false);
        let Some(written) = self.pick(flag, "--admin", file) else { return (default, allow_remote) };
        let Some(address) = self.problems.keep(&written.origin, AdminAddress::parse(&written.text)) else {
            return (default, allow_remote);
        };
        if !address.is_local() && !allow_remote {
            let message = format!("other machines could reach the admin endpoint at {}", written.text);
            let help = "it asks for no password: use a loopback address or `unix:PATH`, or set `admin: { allow-remote: \
                        true }` in the configuration file";
            self.problems.add(written.origin, message, Some(help.into()));
        }
        (address, allow_remote)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use crate::config::Flags;

    #[test]
    fn an_admin_endpoint_for_other_machines_must_be_asked_for() {
        let problems = load("admin: { address: '0.0.0.0:9901' }", Flags::default()).unwrap_err();
        assert!(
            problems[0].starts_with("sluicegate.yaml:1:19:") && problems[0].contains("allow-remote"),
            "{problems:?}"
        );
        let flags = Flags { admin: Some("0.0.0.0:9901".into()), ..Flags::default() };
        let settings = load("admin: { allow-remote: true }", flags).unwrap();
        assert!(settings.admin_allow_remote && !settings.admin.is_local());
    }
}
