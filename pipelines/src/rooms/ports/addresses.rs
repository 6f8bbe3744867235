use std::io;
use std::net::IpAddr;

/// The most addresses that are listened on; each is a candidate in every answer.
const MOST_ADDRESSES: usize = 16;

/// An address to listen on, and how the other side knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    pub local: IpAddr,
    pub announced: IpAddr,
}

/// All addresses of this machine that somebody else can send to.
///
/// # Errors
/// The system does not tell.
pub fn of_this_machine() -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(in_order(
        interfaces.iter().map(if_addrs::Interface::ip).collect(),
    ))
}

/// Usable ones, each once, those of the machine itself last. Pure.
fn in_order(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.retain(|address| match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_unspecified(),
    });
    let mut unique = Vec::new();
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    // Stable: what the system names first comes first.
    unique.sort_by_key(IpAddr::is_loopback);
    unique.truncate(MOST_ADDRESSES);
    unique
}

/// How local addresses are known outside. With one-to-one NAT the public addresses lead to the
/// local ones of their kind in order, further local ones stand behind the first; a local address
/// without a public one of its kind is of no use. Without public addresses each stands for itself.
/// Pure.
pub fn announced(local: &[IpAddr], public: &[IpAddr]) -> Vec<Address> {
    let mut places = [0; 2];
    let known = |local: &IpAddr| {
        if public.is_empty() {
            return Some(*local);
        }
        let mut of_its_kind = public.iter().filter(|p| p.is_ipv4() == local.is_ipv4());
        let first = of_its_kind.clone().next().copied();
        let place = &mut places[usize::from(local.is_ipv4())];
        *place += 1;
        of_its_kind.nth(*place - 1).copied().or(first)
    };
    let outside: Vec<_> = local.iter().map(known).collect();
    local
        .iter()
        .zip(outside)
        .filter_map(|(local, outside)| {
            Some(Address {
                local: *local,
                announced: outside?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts
            .iter()
            .map(|text| text.parse().expect("address"))
            .collect()
    }

    #[test]
    fn this_machine_has_an_address() {
        assert!(!of_this_machine().expect("addresses").is_empty());
    }

    #[test]
    fn what_nobody_can_send_to_is_left_out_and_loopback_comes_last() {
        let found = addresses(&[
            "127.0.0.1",
            "192.0.2.7",
            "fe80::1",
            "169.254.3.4",
            "::1",
            "2001:db8::7",
            "192.0.2.7",
        ]);
        assert_eq!(
            in_order(found),
            addresses(&["192.0.2.7", "2001:db8::7", "127.0.0.1", "::1"])
        );
    }

    #[test]
    fn public_addresses_stand_for_local_ones_of_their_kind() {
        let local = addresses(&["10.0.0.5", "10.0.1.5", "2001:db8::7", "127.0.0.1"]);
        let outside = |public: &[&str]| -> Vec<IpAddr> {
            announced(&local, &addresses(public))
                .iter()
                .map(|address| address.announced)
                .collect()
        };
        assert_eq!(outside(&[]), local);
        assert_eq!(
            outside(&["198.51.100.1"]),
            addresses(&["198.51.100.1", "198.51.100.1", "198.51.100.1"])
        );
        assert_eq!(
            outside(&["198.51.100.1", "198.51.100.2", "2001:db8:1::1"]),
            addresses(&[
                "198.51.100.1",
                "198.51.100.2",
                "2001:db8:1::1",
                "198.51.100.1"
            ])
        );
    }
}
