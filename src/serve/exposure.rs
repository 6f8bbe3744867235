//! Who may call, decided at start from keys and addresses.

use std::net::SocketAddr;

use crate::config::{Auth, ClientAccess};
use crate::http::{Access, ClientPaths, Keys, OperatorPaths, Role};

/// The server would be open to others without anybody having said so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExposureError {
    #[error(
        "{0} can be reached by others, and nothing says who may record: set auth.operator_key \
         (TAPEDECK_AUTH_OPERATOR_KEY) or draw a key with `tapedeck key new`, or let everybody record with auth.clients = \"open\" \
         (TAPEDECK_AUTH_CLIENTS=open), or listen on 127.0.0.1"
    )]
    Undecided(SocketAddr),
    #[error(
        "auth.clients is \"key\" but there is none: set TAPEDECK_AUTH_OPERATOR_KEY, TAPEDECK_AUTH_CLIENT_KEY or both"
    )]
    NoKey,
}

/// Decides who may call.
///
/// # Errors
/// See [`ExposureError`].
pub fn decide(auth: &Auth, addresses: &[SocketAddr]) -> Result<Access, ExposureError> {
    let keys = Keys::new(auth);
    let can_record = keys.has(Role::Operator) || keys.has(Role::Controller);
    let foreign = addresses.iter().find(|address| !address.ip().is_loopback());

    let clients = match (auth.clients, can_record) {
        (ClientAccess::Open, _) => ClientPaths::Open,
        (ClientAccess::Key, false) => return Err(ExposureError::NoKey),
        (ClientAccess::Key | ClientAccess::Unset, true) => ClientPaths::Key,
        (ClientAccess::Unset, false) => match foreign {
            Some(address) => return Err(ExposureError::Undecided(*address)),
            None => ClientPaths::OpenLocally,
        },
    };
    let operators = match (keys.has(Role::Operator), foreign) {
        (true, _) => OperatorPaths::Key,
        (false, Some(_)) => OperatorPaths::Closed,
        (false, None) => OperatorPaths::OpenLocally,
    };
    Ok(Access {
        clients,
        operators,
        keys,
    })
}

/// Whether any of these addresses can be reached by others.
pub fn is_foreign(addresses: &[SocketAddr]) -> bool {
    addresses.iter().any(|address| !address.ip().is_loopback())
}

/// Who may call, in words for the log.
pub fn describe(access: &Access) -> String {
    let clients = match access.clients {
        ClientPaths::Open => "open to everybody",
        ClientPaths::OpenLocally => "open to this machine, without a key",
        ClientPaths::Key => "open to holders of a key or of a token with roomRecord",
    };
    let operators = match access.operators {
        OperatorPaths::OpenLocally => "open to this machine, without a key",
        OperatorPaths::Key => "open to holders of the operator key",
        OperatorPaths::Closed => "closed until auth.operator_key is set",
    };
    format!(
        "/token and /recordings are {clients}; /v1 and /status are {operators}; /whip takes tokens of /token"
    )
}

#[cfg(test)]
mod tests {
    use tapedeck_pipelines::job::Secret;

    use super::*;

    const LOCAL: &str = "127.0.0.1:6080";
    const LOCAL6: &str = "[::1]:6080";
    const ANY: &str = "0.0.0.0:6080";

    fn decided(
        clients: ClientAccess,
        operator_key: &str,
        client_key: &str,
        address: &str,
    ) -> String {
        let auth = Auth {
            clients,
            operator_key: Secret::new(operator_key),
            client_key: Secret::new(client_key),
            read_key: Secret::new("read-key"),
            ..Auth::default()
        };
        match decide(&auth, &[address.parse().unwrap()]) {
            Ok(access) => format!(
                "{} / {}",
                variant(&access.clients),
                variant(&access.operators)
            ),
            Err(error) => variant(&error),
        }
    }

    fn variant(value: &impl std::fmt::Debug) -> String {
        format!("{value:?}")
            .split('(')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn nothing_is_open_to_others_unless_said_so() {
        use ClientAccess::{Key, Open, Unset};
        let cases = [
            (Unset, "", "", LOCAL, "OpenLocally / OpenLocally"),
            (Unset, "", "", LOCAL6, "OpenLocally / OpenLocally"),
            (Unset, "", "", ANY, "Undecided"),
            (Unset, "operator", "", LOCAL, "Key / Key"),
            (Unset, "operator", "", ANY, "Key / Key"),
            (Unset, "", "client", ANY, "Key / Closed"),
            (Unset, "", "client", LOCAL, "Key / OpenLocally"),
            (Open, "", "", LOCAL, "Open / OpenLocally"),
            (Open, "", "", ANY, "Open / Closed"),
            (Open, "operator", "", ANY, "Open / Key"),
            (Key, "", "", LOCAL, "NoKey"),
            (Key, "operator", "", LOCAL, "Key / Key"),
        ];
        for (clients, operator_key, client_key, address, expected) in cases {
            let decided = decided(clients, operator_key, client_key, address);
            assert_eq!(
                decided, expected,
                "{clients:?} {operator_key:?} {client_key:?} {address}"
            );
        }
    }

    #[test]
    fn refusals_say_the_way_out() {
        let error = decide(&Auth::default(), &[ANY.parse().unwrap()])
            .unwrap_err()
            .to_string();
        for way in [
            "TAPEDECK_AUTH_OPERATOR_KEY",
            "TAPEDECK_AUTH_CLIENTS=open",
            "127.0.0.1",
        ] {
            assert!(error.contains(way), "{error}");
        }
    }
}
