//! The manifests that put a proxy in front of the shop, for a program that has no files beside it.

use crate::shop::Addresses;
use std::net::SocketAddr;

/// A file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub file: &'static str,
    /// Its text.
    pub text: String,
}

/// Files that are the same wherever the services run.
const FIXED: [(&str, &str); 4] = [
    ("order-service.yaml", include_str!("../manifests/order-service.yaml")),
    ("product-service.yaml", include_str!("../manifests/product-service.yaml")),
    ("orders-channel.yaml", include_str!("../manifests/orders-channel.yaml")),
    ("orders-to-inventory.yaml", include_str!("../manifests/orders-to-inventory.yaml")),
];
/// Where the services run.
const SERVICES: &str = include_str!("../manifests/services.yaml");

/// The files of `examples/shop/manifests`, for services at these addresses.
pub fn manifests(addresses: Addresses) -> Vec<Manifest> {
    let fixed = FIXED.map(|(file, text)| Manifest { file, text: text.to_owned() });
    let mut manifests = Vec::from(fixed);
    manifests.push(Manifest { file: "services.yaml", text: services(addresses) });
    manifests
}

/// The documents of `services.yaml`, in its order, each with its own address.
fn services(addresses: Addresses) -> String {
    let addresses = [addresses.order, addresses.inventory, addresses.product];
    let documents: Vec<String> =
        SERVICES.split("\n---\n").zip(addresses).map(|(document, address)| at(document, address)).collect();
    documents.join("\n---\n")
}

/// The document with this address in place of the one that it has.
fn at(document: &str, address: SocketAddr) -> String {
    let lines = document.split('\n').map(|line| match line.split_once(": ") {
        Some((key @ "  - address", _)) => format!("{key}: {}", address.ip()),
        Some((key @ "      http", _)) => format!("{key}: {}", address.port()),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ports(order: u16, inventory: u16, product: u16) -> Addresses {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Addresses { order: local(order), inventory: local(inventory), product: local(product) }
    }

    #[test]
    fn at_their_usual_ports_they_are_the_files_of_the_example() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
        let manifests = manifests(at_ports(9101, 9102, 9103));
        for Manifest { file, text } in &manifests {
            assert_eq!(&std::fs::read_to_string(directory.join(file)).unwrap(), text, "{file}");
        }
        let files = std::fs::read_dir(directory).unwrap().count();
        assert_eq!(manifests.len(), files, "a file of the example is missing");
    }

    #[test]
    fn each_service_has_its_own_port() {
        let services = services(at_ports(1, 2, 3));
        let ports = services.lines().filter_map(|line| line.strip_prefix("      http: "));
        assert_eq!(ports.collect::<Vec<_>>(), ["1", "2", "3"]);
        let names = services.lines().filter_map(|line| line.strip_prefix("  name: "));
        assert_eq!(names.collect::<Vec<_>>(), ["order-service", "inventory-service", "product-service"]);
    }
}
