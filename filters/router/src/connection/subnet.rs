//! Ranges of addresses.

use std::net::IpAddr;

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    first: u128,
    /// How many of 128 bits count; an IPv4 address stands behind 96 bits of its own.
    length: u8,
    v4: bool,
}

impl Subnet {
    /// Reads an address, or one and the length of its prefix: `10.0.0.0/8`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let (first, v4) = bits(address)?;
        let longest = if v4 { 32 } else { 128 };
        let length: u8 = length.map_or(Some(longest), |length| length.parse().ok())?;
        (length <= longest).then_some(Self { first, length: if v4 { length + 96 } else { length }, v4 })
    }

    /// Whether an address is one of them; what is no address is not.
    pub fn holds(&self, address: &str) -> bool {
        let Some((other, v4)) = bits(address) else { return false };
        let differing = 128 - (self.first ^ other).leading_zeros();
        self.v4 == v4 && u32::from(self.length) + differing <= 128
    }
}

fn bits(text: &str) -> Option<(u128, bool)> {
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => Some((u128::from(u32::from(address)), true)),
        IpAddr::V6(address) => Some((u128::from(address), false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_an_address_with_or_without_a_length() {
        for good in ["10.0.0.0/8", "10.1.2.3", "::1/128", "fd00::/8", "0.0.0.0/0"] {
            assert!(Subnet::parse(good).is_some(), "{good}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "a/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(Subnet::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_subnet_holds_the_addresses_of_its_family_that_begin_like_it() {
        let table = [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.2", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::/0", "10.0.0.1", false),
            ("::1", "nothing", false),
        ];
        for (subnet, address, expected) in table {
            assert_eq!(Subnet::parse(subnet).map(|subnet| subnet.holds(address)), Some(expected), "{subnet} {address}");
        }
    }
}
