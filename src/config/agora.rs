//! The browser that listens to channels of Agora, whose settings are written as texts.

use tapedeck_pipelines::job::BrowserSettings;

use super::Agora;

/// The most hosts that the browser may reach.
const MOST_HOSTS: usize = 64;

/// Why hosts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgoraMistake {
    #[error(
        "holds {0}, which is no host: separate names, or patterns such as *.agora.io, with commas"
    )]
    Host(String),
    #[error("holds more than {MOST_HOSTS} hosts")]
    TooMany,
}

/// Names of hosts, and patterns such as `*.agora.io`, separated by commas.
///
/// # Errors
/// One of them is none, or there are too many.
pub fn allowed_hosts(text: &str) -> Result<Vec<String>, AgoraMistake> {
    let hosts: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if hosts.len() > MOST_HOSTS {
        return Err(AgoraMistake::TooMany);
    }
    // They become part of a rule of the browser, in which other characters mean something.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match hosts.iter().find(|host| {
        !host
            .strip_prefix("*.")
            .unwrap_or(host)
            .chars()
            .all(is_plain)
    }) {
        Some(host) => Err(AgoraMistake::Host((*host).to_owned())),
        None => Ok(hosts.into_iter().map(str::to_owned).collect()),
    }
}

/// What the browser is told; where it works is not decided here.
///
/// # Errors
/// The first mistake; there is none in settings that were loaded.
pub fn browser(agora: &Agora) -> Result<BrowserSettings, AgoraMistake> {
    Ok(BrowserSettings {
        chromium: agora.chromium.trim().into(),
        sdk: agora.sdk.trim().into(),
        allowed_hosts: allowed_hosts(&agora.allowed_hosts)?,
        ..BrowserSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_sdk_needs() {
        let browser = browser(&Agora::default()).unwrap();
        assert_eq!(browser.allowed_hosts, BrowserSettings::AGORA_HOSTS);
    }

    #[test]
    fn hosts_are_names_or_patterns() {
        assert_eq!(allowed_hosts(" "), Ok(Vec::new()));
        assert_eq!(
            allowed_hosts("*.agora.io, 192.0.2.7,"),
            Ok(vec!["*.agora.io".into(), "192.0.2.7".into()])
        );
        for text in ["https://agora.io", "a b", "EXCLUDE *", "*", "a*.io"] {
            assert_eq!(
                allowed_hosts(text),
                Err(AgoraMistake::Host(text.into())),
                "{text}"
            );
        }
        let many = vec!["a.example"; MOST_HOSTS + 1].join(",");
        assert_eq!(allowed_hosts(&many), Err(AgoraMistake::TooMany));
    }
}
