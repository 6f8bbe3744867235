use std::io::Write;

/// Begins logging to standard error. Each line has time, level, module, the recording's id and
/// room. `RUST_LOG` is honoured; without it, the level is `info`.
///
/// # Errors
/// Logging was begun before.
pub fn init_logging(recording_id: &str, room_name: &str) -> Result<(), log::SetLoggerError> {
    let recording = format!("{recording_id} {}", one_line(room_name));
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        // At trace it writes requests out, and with them the room's token.
        .filter_module("tungstenite", log::LevelFilter::Info)
        .write_style(env_logger::WriteStyle::Never)
        .format(move |line, record| {
            writeln!(
                line,
                "{} {:5} {} [{recording}] {}",
                line.timestamp_millis(),
                record.level(),
                record.target(),
                one_line(&record.args().to_string())
            )
        })
        .try_init()
}

/// Names and messages come from others: none may begin a line of its own or steer a terminal.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_line() {
        assert_eq!(
            one_line("참가자\n2026 ERROR\x1b[2J"),
            "참가자\u{fffd}2026 ERROR\u{fffd}[2J"
        );
    }
}
