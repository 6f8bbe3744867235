//! `api.log`: what is asked of `/api`, in the lines that Memharbor writes. No token and no
//! certificate is ever in it.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use actix_web::{HttpRequest, web};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::http::refusal::{ApiRefusal, Refusal};
use crate::http::visitor::visitor_of;

/// Lines that may wait for the disk; what comes on top is counted and left out.
const MOST_WAITING: usize = 1_024;
/// Size at which the file becomes `api.log.1` and a new one is begun, bytes.
const LARGEST: u64 = 32 << 20;
/// The longest value of a field that is shown, characters.
const LONGEST_VALUE: usize = 200;
/// The fields of requests that are shown; whatever else a client sends is nobody's business.
const SHOWN: [&str; 6] = ["channel", "uid", "user_account", "role", "expire", "sid"];

const TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// The log, written by a thread of its own.
#[derive(Clone, Debug)]
pub struct ApiLog(SyncSender<String>);

impl ApiLog {
    /// Appends to the file at `path`, whose folder is made if it is missing.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        let (sender, lines) = sync_channel(MOST_WAITING);
        let path = path.to_owned();
        thread::Builder::new()
            .name("api log".to_owned())
            .spawn(move || write_all(file, &path, &lines))?;
        Ok(Self(sender))
    }

    fn line(&self, level: &str, tag: &str, text: &str) {
        let now = OffsetDateTime::now_utc();
        let time = now.format(TIME).unwrap_or_default();
        let line = format!("[{time}] {level} api [{tag}] {}\n", escaped(text));
        if self.0.try_send(line).is_err() {
            ::log::warn!("a line for the log of /api was left out: the disk is too slow");
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn write_all(mut file: File, path: &Path, lines: &Receiver<String>) {
    let mut was_told = false;
    while let Ok(line) = lines.recv() {
        let written = rotated(&mut file, path).and_then(|()| file.write_all(line.as_bytes()));
        match written {
            Ok(()) => was_told = false,
            Err(error) if !was_told => {
                ::log::error!("{} cannot be written: {error}", path.display());
                was_told = true;
            }
            Err(_) => {}
        }
    }
}

/// Begins a new file when the old one is large.
fn rotated(file: &mut File, path: &Path) -> io::Result<()> {
    if file.metadata()?.len() < LARGEST {
        return Ok(());
    }
    let mut old = path.as_os_str().to_owned();
    old.push(".1");
    std::fs::rename(path, PathBuf::from(old))?;
    *file = append_to(path)?;
    Ok(())
}

/// One request in the log.
pub struct Call {
    log: Option<web::Data<ApiLog>>,
    tag: &'static str,
}

impl Call {
    /// Writes who asks, and for what as far as it could be read.
    pub fn begin(
        tag: &'static str,
        request: &HttpRequest,
        fields: Option<&Map<String, Value>>,
    ) -> Self {
        let call = Self {
            log: request.app_data::<web::Data<ApiLog>>().cloned(),
            tag,
        };
        let from = visitor_of(request).and_then(|visitor| visitor.address);
        call.line(
            "INFO",
            &format!("{} from {}", request.method(), whence(from)),
        );
        if let Some(fields) = fields {
            call.line("INFO", &format!("Request data: {}", shown(fields)));
        }
        call
    }

    pub fn succeeded(&self, text: &str) {
        self.line("INFO", &format!("Success: {text}"));
    }

    /// The refusal in the shape of `/api`, written down.
    pub fn refused(&self, refusal: Refusal) -> ApiRefusal {
        let level = match refusal.status.is_server_error() {
            true => "ERROR",
            false => "WARNING",
        };
        let status = refusal.status.as_u16();
        self.line(level, &format!("Failed ({status}): {}", refusal.message));
        ApiRefusal(refusal)
    }

    fn line(&self, level: &str, text: &str) {
        if let Some(log) = &self.log {
            log.line(level, self.tag, text);
        }
    }
}

fn whence(address: Option<IpAddr>) -> String {
    match address {
        Some(address) => address.to_canonical().to_string(),
        None => "unknown".to_owned(),
    }
}

/// Fields as Python writes a dictionary, which is what readers of this log know.
fn shown(fields: &Map<String, Value>) -> String {
    let known = SHOWN
        .iter()
        .filter_map(|name| Some((name, fields.get(*name)?)));
    let known = known.map(|(name, value)| format!("'{name}': {}", python(value)));
    format!("{{{}}}", known.collect::<Vec<_>>().join(", "))
}

fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let mut short: String = text.chars().take(LONGEST_VALUE).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            format!("'{}'", short.replace('\\', "\\\\").replace('\'', "\\'"))
        }
        Value::Array(_) => "[…]".to_owned(),
        Value::Object(_) => "{…}".to_owned(),
    }
}

/// Text without control characters, so that no client begins a line of its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(escaped, "{}", c.escape_default());
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_shown_as_a_dictionary_and_secrets_not_at_all() {
        let fields = json!({
            "uid": 12345,
            "channel": "group1_alice_bob",
            "token": "006…",
            "user_account": "it's \\ me",
            "role": null,
        });
        assert_eq!(
            shown(fields.as_object().unwrap()),
            r"{'channel': 'group1_alice_bob', 'uid': 12345, 'user_account': 'it\'s \\ me', 'role': None}"
        );
    }

    #[test]
    fn no_client_writes_a_line_of_its_own() {
        assert_eq!(
            escaped("a\n[2026] b\r\u{1b}[2J\u{2028}"),
            r"a\n[2026] b\r\u{1b}[2J\u{2028}"
        );
    }

    #[test]
    fn lines_are_dated_and_a_large_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/api.log");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap().set_len(LARGEST).unwrap();
        let log = ApiLog::open(&path).unwrap();
        log.line("INFO", "TOKEN", "POST from 172.19.0.5");
        let line = loop {
            match std::fs::read_to_string(&path) {
                Ok(text) if text.ends_with('\n') => break text,
                _ => thread::sleep(std::time::Duration::from_millis(5)),
            }
        };
        assert!(
            line.ends_with("] INFO api [TOKEN] POST from 172.19.0.5\n"),
            "{line}"
        );
        assert_eq!(line.find(']'), Some("[2026-02-04 02:56:22".len()));
        let aside = std::fs::metadata(folder.path().join("logs/api.log.1"));
        assert_eq!(aside.unwrap().len(), LARGEST);
    }
}
