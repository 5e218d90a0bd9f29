//! `sluice demo`: three services in this process, their manifests in a directory of their own, the proxy as
//! `sluice run` runs it, and what to try.

mod guide;
mod place;
mod shop;

use super::exit::{Failure, Verdict};
use super::{print, run};
use crate::args::Demo;
use anyhow::{Context, anyhow};
use guide::Guide;
use place::Place;
use shop::OpenShop;
use sluicegate::config::{AdminAddress, Flags, Settings};
use sluicegate::listener;
use sluicegate::proxy::Proxy;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// How long requests in flight may take at the end: those of the demo last milliseconds.
const DRAIN: &str = "5s";

/// Runs the demo until it is asked to end.
pub(crate) fn run(demo: &Demo) -> Result<Verdict, Failure> {
    let settings = settings(demo)?;
    check(&settings)?;
    let shop = OpenShop::open().context("the services cannot start")?;
    let place = Place::create(shop.addresses(), demo.keep)?;
    let settings = Settings { manifests: vec![place.path().to_owned()], ..settings };
    run::serve(settings, listener::Inherited::default(), |proxy| print::text(&guide(proxy, &place)?.to_string()))?;
    // The proxy is gone by now, so no request is cut off when the services end.
    Ok(Verdict::Fine)
}

fn settings(demo: &Demo) -> Result<Settings, Failure> {
    let flags = Flags {
        listen: demo.listen.iter().cloned().collect(),
        admin: demo.admin.clone(),
        drain: Some(DRAIN.into()),
        ..Flags::default()
    };
    Ok(Settings::load(None, flags)?)
}

/// Says what is missing before anything is started.
fn check(settings: &Settings) -> Result<(), Failure> {
    if settings.stock_filters.is_none() {
        let program = std::env::current_exe().unwrap_or_default();
        let directory = program.parent().unwrap_or(Path::new("")).join("filters");
        return Err(anyhow!(
            "the filters that come with the proxy are not there: no directory `{}`\n  help: `cargo xtask build` puts \
             them beside the executable",
            directory.display()
        )
        .into());
    }
    let admin = tcp(&settings.admin)?;
    let addresses = settings.listen.iter().map(|address| ("--listen", *address)).chain([("--admin", admin)]);
    let mut held = Vec::new();
    for (flag, address) in addresses {
        let bound = listener::bind(address, 1, &listener::Inherited::default()).map_err(|error| {
            anyhow!("{error}\n  help: choose another with `sluice demo {flag} ADDR`; port 0 takes a free one")
        })?;
        // Held until all are looked at: the two could be the same.
        held.push(bound);
    }
    Ok(())
}

fn tcp(admin: &AdminAddress) -> Result<SocketAddr, Failure> {
    match admin {
        AdminAddress::Tcp(address) => Ok(*address),
        AdminAddress::Unix(_) => {
            let help = "the demo's admin endpoint is shown with curl; write an address, such as 127.0.0.1:9901";
            Err(Failure::Usage(format!("--admin: a Unix socket is not for the demo\n  help: {help}")))
        }
    }
}

fn guide<'a>(proxy: &Proxy, place: &'a Place) -> anyhow::Result<Guide<'a>> {
    let listen = proxy.addresses().first().context("the proxy listens nowhere")?;
    let AdminAddress::Tcp(admin) = proxy.admin() else { return Err(anyhow!("the admin endpoint has no address")) };
    let program = std::env::current_exe().context("the path of this program")?;
    Ok(Guide {
        listen: reachable(*listen),
        admin: reachable(*admin),
        manifests: place.path(),
        kept: place.is_kept(),
        program,
    })
}

/// The address that a client of this machine uses: one that stands for all has to be one of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(listen: &str, admin: &str) -> Result<Settings, Failure> {
        let demo = Demo { listen: Some(listen.into()), admin: Some(admin.into()), keep: false };
        // The filters are not beside the executable of a test.
        settings(&demo).map(|settings| Settings { stock_filters: Some("filters".into()), ..settings })
    }

    fn refusal(listen: &str, admin: &str) -> String {
        demo(listen, admin).and_then(|settings| check(&settings)).unwrap_err().to_string()
    }

    #[test]
    fn a_taken_port_is_named_with_its_flag() {
        let holder = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let taken = holder.local_addr().unwrap().to_string();
        for (listen, admin, flag) in [(&*taken, "127.0.0.1:0", "--listen"), ("127.0.0.1:0", &*taken, "--admin")] {
            let error = refusal(listen, admin);
            assert!(error.contains(&taken) && error.contains(&format!("sluice demo {flag} ")), "{error}");
        }
    }

    #[test]
    fn one_port_is_not_enough_for_both() {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
        assert!(refusal(&free, &free).contains("--admin"));
    }

    #[test]
    fn free_ports_pass() {
        check(&demo("127.0.0.1:0", "127.0.0.1:0").unwrap()).unwrap();
    }

    #[test]
    fn missing_filters_are_said_to_be_missing() {
        let settings = Settings { stock_filters: None, ..demo("127.0.0.1:0", "127.0.0.1:0").unwrap() };
        let error = check(&settings).unwrap_err().to_string();
        assert!(error.contains("filters`") && error.contains("cargo xtask build"), "{error}");
    }

    #[test]
    fn an_admin_endpoint_that_curl_cannot_show_is_refused() {
        assert!(refusal("127.0.0.1:0", "unix:/tmp/admin.sock").contains("--admin"));
    }

    #[test]
    fn an_address_that_stands_for_all_is_reached_on_loopback() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reached("[::]:8080"), "[::1]:8080");
        assert_eq!(reached("192.0.2.1:8080"), "192.0.2.1:8080");
    }
}
