//! Ports and addresses of the rooms process, which are written as texts.

use std::net::IpAddr;

use tapedeck_pipelines::job::RoomsSettings;

use super::Rooms;

/// The most addresses that are listened on or announced.
const MOST_ADDRESSES: usize = 16;

/// Why ports or addresses cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomsMistake {
    #[error("is {0}, must be a port or a range such as 6082-6181, from 1 to 65535, or empty")]
    Ports(String),
    #[error(
        "is empty like rooms.udp_ports: publishers need one of them, so take 6082-6181 for either"
    )]
    NoPorts,
    #[error("holds {0}, which is no IP address: separate addresses with commas")]
    Address(String),
    #[error("holds {0}, which stands for no single address: leave it empty for all addresses")]
    Unspecific(IpAddr),
    #[error("holds more than {MOST_ADDRESSES} addresses")]
    TooMany,
}

/// A port (`6082`) or a range (`6082-6181`), inclusive; none when the text is empty.
///
/// # Errors
/// It is neither.
pub fn ports(text: &str) -> Result<Option<(u16, u16)>, RoomsMistake> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(Some((first, last))),
        _ => Err(RoomsMistake::Ports(text.to_owned())),
    }
}

/// IP addresses, separated by commas.
///
/// # Errors
/// One of them is none, or none that packets can be sent to; or there are too many.
pub fn addresses(text: &str) -> Result<Vec<IpAddr>, RoomsMistake> {
    let addresses = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| match part.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || address.is_multicast() => {
                Err(RoomsMistake::Unspecific(address))
            }
            Ok(address) => Ok(address),
            Err(_) => Err(RoomsMistake::Address(part.to_owned())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    match addresses.len() > MOST_ADDRESSES {
        true => Err(RoomsMistake::TooMany),
        false => Ok(addresses),
    }
}

/// What the rooms process is told.
///
/// # Errors
/// The first mistake; there is none in settings that were loaded.
pub fn settings(rooms: &Rooms) -> Result<RoomsSettings, RoomsMistake> {
    Ok(RoomsSettings {
        udp_ports: ports(&rooms.udp_ports)?,
        tcp_ports: ports(&rooms.tcp_ports)?,
        addresses: addresses(&rooms.addresses)?,
        public_addresses: addresses(&rooms.public_addresses)?,
        publisher_timeout_ms: rooms.publisher_timeout_s.saturating_mul(1_000),
        max_publishers: rooms.max_publishers,
    })
}

/// All mistakes, each with its key.
pub fn mistakes(rooms: &Rooms) -> Vec<(&'static str, RoomsMistake)> {
    let (udp, tcp) = (ports(&rooms.udp_ports), ports(&rooms.tcp_ports));
    let without_ports = (udp == Ok(None) && tcp == Ok(None)).then_some(RoomsMistake::NoPorts);
    [
        ("rooms.udp_ports", udp.err()),
        ("rooms.tcp_ports", tcp.err().or(without_ports)),
        ("rooms.addresses", addresses(&rooms.addresses).err()),
        (
            "rooms.public_addresses",
            addresses(&rooms.public_addresses).err(),
        ),
    ]
    .into_iter()
    .filter_map(|(key, mistake)| Some((key, mistake?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_rooms_process() {
        assert_eq!(settings(&Rooms::default()), Ok(RoomsSettings::default()));
    }

    #[test]
    fn ports_are_one_or_a_range() {
        assert_eq!(ports(""), Ok(None));
        assert_eq!(ports("6082"), Ok(Some((6_082, 6_082))));
        assert_eq!(ports(" 1 - 65535 "), Ok(Some((1, 65_535))));
        for text in [
            "0",
            "0-5",
            "7-6",
            "65536",
            "a",
            "1-2-3",
            "-",
            "1-",
            "6082,6083",
        ] {
            assert_eq!(ports(text), Err(RoomsMistake::Ports(text.into())), "{text}");
        }
    }

    #[test]
    fn addresses_are_single_ones() {
        assert_eq!(addresses(""), Ok(Vec::new()));
        assert_eq!(
            addresses("192.0.2.7, 2001:db8::1,"),
            Ok(vec![
                "192.0.2.7".parse().unwrap(),
                "2001:db8::1".parse().unwrap()
            ])
        );
        for text in ["0.0.0.0", "::", "224.0.0.1"] {
            let address = text.parse().unwrap();
            assert_eq!(addresses(text), Err(RoomsMistake::Unspecific(address)));
        }
        for text in ["host.example", "192.0.2.7:80", "192.0.2"] {
            assert_eq!(addresses(text), Err(RoomsMistake::Address(text.into())));
        }
        let many = vec!["192.0.2.7"; MOST_ADDRESSES + 1].join(",");
        assert_eq!(addresses(&many), Err(RoomsMistake::TooMany));
    }
}
