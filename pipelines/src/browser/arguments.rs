//! What Chromium is told on its command line. Pure.

use std::ffi::OsString;
use std::path::Path;

/// Without a screen, nothing of its own accord, and sound at any time, also in tabs that nobody
/// sees. The default sound output with `--mute-audio` runs steadily; one without output loses
/// samples.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=MediaRouter,OptimizationHints,Translate,WebRtcHideLocalIpsWithMdns",
    "--disable-gpu",
    "--disable-sync",
    "--force-webrtc-ip-handling-policy=default",
    // Only why it ends; there is much that a machine without a screen lacks.
    "--log-level=3",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
];

/// All arguments of a browser with a profile of its own. Names other than those of `hosts` (and
/// this machine's loopback address) are not resolved.
pub fn arguments(profile: &Path, hosts: &[String], sandbox: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = FLAGS.iter().map(Into::into).collect();
    let mut data = OsString::from("--user-data-dir=");
    data.push(profile);
    arguments.push(data);
    arguments.push(format!("--host-resolver-rules={}", resolver_rules(hosts)).into());
    if !sandbox {
        arguments.push("--no-sandbox".into());
    }
    arguments.push("about:blank".into());
    arguments
}

fn resolver_rules(hosts: &[String]) -> String {
    let mut rules = "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1".to_owned();
    for host in hosts.iter().filter(|host| is_host_pattern(host)) {
        rules.push_str(" , EXCLUDE ");
        rules.push_str(host);
    }
    rules
}

/// Whether it is a host's name, or a pattern of such, and nothing that ends a rule or a policy.
pub fn is_host_pattern(host: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.*".contains(character);
    !host.is_empty() && host.chars().all(plain)
}

/// What the page may load and connect to (Content Security Policy level 3): itself, the SDK beside
/// it, and the allowed hosts. Of services on this machine only those that are allowed by name.
pub fn content_policy(hosts: &[String], port: u16) -> String {
    let mut connect = format!("'self' ws://127.0.0.1:{port}");
    for host in hosts.iter().filter(|host| is_host_pattern(host)) {
        let schemes: &[&str] = match host.as_str() {
            "127.0.0.1" => &["http", "ws"],
            _ => &["https", "wss"],
        };
        for scheme in schemes {
            connect.push_str(&format!(" {scheme}://{host}:*"));
        }
    }
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; \
         media-src blob: mediastream:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_resolved() {
        let hosts = ["*.agora.io", "a , EXCLUDE *", "*.sd-rtn.com", ""].map(str::to_owned);
        assert_eq!(
            resolver_rules(&hosts),
            "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE *.agora.io , EXCLUDE *.sd-rtn.com"
        );
        assert_eq!(resolver_rules(&[]), "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1");
    }

    #[test]
    fn the_page_connects_to_allowed_hosts_only() {
        let hosts = ["*.agora.io", "x; script-src *"].map(str::to_owned);
        let policy = content_policy(&hosts, 4711);
        assert!(policy.contains(
            "connect-src 'self' ws://127.0.0.1:4711 https://*.agora.io:* wss://*.agora.io:*;"
        ));
        assert!(!policy.contains("script-src *") && !policy.contains("http://"));
    }
}
