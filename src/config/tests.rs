use std::fs;

use tempfile::TempDir;

use super::*;

struct Place {
    dir: TempDir,
    environment: BTreeMap<String, String>,
}

impl Place {
    fn new(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let environment = environment
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        Self { dir, environment }
    }

    fn load(&self) -> Result<Configuration, ConfigError> {
        load_from(self.dir.path(), None, self.environment.clone())
    }

    fn mistakes(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

#[test]
fn nothing_configured_gives_the_defaults() {
    let loaded = Place::new(&[], &[]).load().unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn without_a_media_server_rooms_are_our_own() {
    let settings = Place::new(&[], &[]).load().unwrap().settings;
    assert!(!settings.livekit.is_configured() && settings.livekit.has_well_known_secret());
    let environment = [("LIVEKIT_URL", "wss://rooms.example")];
    let settings = Place::new(&[], &environment).load().unwrap().settings;
    assert!(settings.livekit.is_configured() && settings.livekit.has_well_known_secret());
    let environment = [("LIVEKIT_API_SECRET", "hush-hush")];
    let settings = Place::new(&[], &environment).load().unwrap().settings;
    assert!(!settings.livekit.has_well_known_secret());
}

#[test]
fn the_commented_file_lists_every_key_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tapedeck.toml");
    let text = fs::read_to_string(&path).unwrap();
    let values: Table = text.parse().unwrap();
    let written: Vec<(String, Value)> = values
        .iter()
        .flat_map(|(section, entries)| {
            let entries = entries.as_table().unwrap().clone();
            entries
                .into_iter()
                .map(move |(name, value)| (format!("{section}.{name}"), value))
        })
        .collect();
    let expected: Vec<(String, Value)> = keys::keys()
        .into_iter()
        .map(|key| (key.to_string(), key.default))
        .collect();
    assert_eq!(written, expected);
}

#[test]
fn later_layers_win() {
    let file = (
        "tapedeck.toml",
        "[server]\nport = 1001\nhost = \"127.0.0.2\"\n[livekit]\nurl = \"ws://file:1\"",
    );
    let dotenv = (
        ".env",
        "SERVER_PORT=1002\nLIVEKIT_URL=http://dotenv:1\nTAPEDECK_DATA_DIR=from-dotenv",
    );
    let all = Place::new(
        &[file, dotenv],
        &[
            ("LIVEKIT_URL", "wss://process:1"),
            ("TAPEDECK_SERVER_PORT", "1003"),
        ],
    );
    let settings = all.load().unwrap().settings;
    assert_eq!(settings.server.host, "127.0.0.2");
    assert_eq!(settings.server.port, 1003);
    assert_eq!(settings.livekit.url, "wss://process:1");
    assert_eq!(settings.data.dir, "from-dotenv");

    let without_own = Place::new(&[file, dotenv], &[]).load().unwrap().settings;
    assert_eq!(without_own.server.port, 1002);
}

#[test]
fn an_empty_variable_is_not_set() {
    let settings = Place::new(
        &[(".env", "LIVEKIT_URL=\nSERVER_PORT=")],
        &[("TAPEDECK_DATA_DIR", "")],
    )
    .load()
    .unwrap();
    assert_eq!(settings.settings, Settings::default());
}

#[test]
fn a_named_file_must_exist() {
    let place = Place::new(&[], &[("TAPEDECK_CONFIG", "missing.toml")]);
    assert!(place.mistakes().contains("missing.toml"));
    let error = load_from(
        place.dir.path(),
        Some(Path::new("other.toml")),
        BTreeMap::new(),
    )
    .unwrap_err();
    assert!(error.to_string().contains("other.toml"));
}

#[test]
fn the_file_is_found_in_config_too() {
    let place = Place::new(&[("config/tapedeck.toml", "[server]\nport = 1004")], &[]);
    assert_eq!(place.load().unwrap().settings.server.port, 1004);
}

#[test]
fn variables_of_the_replaced_applications_work() {
    let dotenv = "SERVER_PORT=6081\nLIVEKIT_URL=https://rooms.example\nLIVEKIT_API_KEY=key\nLIVEKIT_API_SECRET=pa$$#word\n\
        S3_ENDPOINT=http://localhost:9000\nS3_ACCESS_KEY=minio\nS3_SECRET_KEY=hidden\nAWS_REGION=us-east-1\nS3_BUCKET=b\n\
        RECORDINGS_PATH=videos/\nRECORDING_PLAYBACK_STRATEGY=PROXY\nFIREBASE_SERVICE_ACCOUNT={\"private_key\":\"-----\\n#$x\"}\n\
        FIREBASE_PROJECT_ID=p\nFIREBASE_STORAGE_BUCKET=p.appspot.com\nFIREBASE_USE_EMULATOR=true\n\
        FIREBASE_STORAGE_EMULATOR_HOST=localhost:9199\nFIRESTORE_EMULATOR_HOST=localhost:8080\nAGORA_APP_ID=970CA35de60c44645bbae8a215061b33\nAGORA_APP_CERT=confidential\n\
        MEMHARBOR_DEBUG=1\nMEMHARBOR_SECRET_KEY=unused\n";
    let loaded = Place::new(&[(".env", dotenv)], &[]).load().unwrap();
    assert_eq!(loaded.settings.server.port, 6081);
    assert_eq!(loaded.settings.livekit.url, "https://rooms.example");
    assert_eq!(loaded.settings.livekit.api_secret.reveal(), "pa$$#word");
    assert_eq!(loaded.settings.storage.recordings_path, "videos/");
    assert_eq!(loaded.settings.s3.endpoint, "http://localhost:9000");
    assert_eq!(loaded.settings.s3.secret_key.reveal(), "hidden");
    assert_eq!(loaded.settings.s3.region, "us-east-1");
    assert_eq!(loaded.warnings, [""; 0]);
    assert_eq!(loaded.settings.log.level, "debug");
    let agora = &loaded.settings.agora;
    assert_eq!(agora.app_id, "970CA35de60c44645bbae8a215061b33");
    assert_eq!(agora.app_certificate.reveal(), "confidential");
    let firebase = &loaded.settings.firebase;
    assert_eq!(
        firebase.service_account.reveal(),
        r#"{"private_key":"-----\n#$x"}"#
    );
    assert_eq!(firebase.project_id, "p");
    assert_eq!(firebase.bucket, "p.appspot.com");
    assert!(firebase.use_emulator);
    assert_eq!(firebase.storage_emulator_host, "localhost:9199");
    assert_eq!(firebase.firestore_emulator_host, "localhost:8080");
    assert_eq!(loaded.settings.storage.playback, Playback::Server);
    for secret in ["private_key", "confidential", "hidden", "pa$$#word"] {
        assert!(!loaded.to_toml().contains(secret), "{secret}");
    }
}

#[test]
fn mistakes_name_place_key_and_way_out() {
    let cases = [
        (
            "[server]\nprot = 1",
            "tapedeck.toml:2: prot is an unknown key of [server]: did you mean port?",
        ),
        (
            "\n[serverr]\nport = 1",
            "tapedeck.toml:2: serverr is an unknown section or key: did you mean server?",
        ),
        (
            "port = 1",
            "tapedeck.toml:1: port is an unknown section or key",
        ),
        (
            "server = 1",
            "tapedeck.toml:1: server is a section: write [server]",
        ),
        (
            "[server]\nport = \"x\"",
            "tapedeck.toml:2: server.port must be a whole number, not a text in quotes",
        ),
        ("[server]\nport = 70000", "tapedeck.toml:2: server.port"),
        (
            "[server]\nport = 0",
            "tapedeck.toml:2: server.port is 0, must be from 1 to 65535",
        ),
        (
            "[video]\nwidth = 1281",
            "tapedeck.toml:2: video.width is 1281, must be even and from 16 to 3840 pixels",
        ),
        (
            "[video]\nencoder = \"x265\"",
            "tapedeck.toml:2: video.encoder",
        ),
        (
            "[video]\nx264_preset = \"quick\"",
            "must be one of ultrafast",
        ),
        (
            "[auth]\nclients = \"anybody\"",
            "tapedeck.toml:2: auth.clients",
        ),
        (
            "[livekit]\nurl = \"localhost:7880\"",
            "tapedeck.toml:2: livekit.url",
        ),
        (
            "[rooms]\nudp_ports = \"high\"",
            "tapedeck.toml:2: rooms.udp_ports is high, must be a port or a range such as 6082-6181",
        ),
        (
            "[rooms]\nudp_ports = \"\"\ntcp_ports = \"\"",
            "tapedeck.toml:3: rooms.tcp_ports is empty like rooms.udp_ports",
        ),
        (
            "[rooms]\npublic_addresses = \"rooms.example\"",
            "tapedeck.toml:2: rooms.public_addresses holds rooms.example, which is no IP address",
        ),
        (
            "[rooms]\naddresses = \"0.0.0.0\"",
            "tapedeck.toml:2: rooms.addresses holds 0.0.0.0, which stands for no single address",
        ),
        (
            "[rooms]\npublisher_timeout_s = 1",
            "tapedeck.toml:2: rooms.publisher_timeout_s is 1, must be from 2 to 3600",
        ),
        (
            "[rooms]\nmax_publishers = 0",
            "tapedeck.toml:2: rooms.max_publishers is 0, must be from 1 to 10000",
        ),
        ("[server]\nport = ", "tapedeck.toml:2: "),
    ];
    for (text, expected) in cases {
        let mistakes = Place::new(&[("tapedeck.toml", text)], &[]).mistakes();
        assert!(mistakes.contains(expected), "{text:?} gave {mistakes}");
    }
}

#[test]
fn unknown_own_variables_are_refused() {
    let mistakes = Place::new(
        &[(".env", "\nTAPEDECK_SERVER_PROT=1")],
        &[("TAPEDECK_DATADIR", "x")],
    )
    .mistakes();
    assert!(
        mistakes.contains("environment (TAPEDECK_DATADIR)"),
        "{mistakes}"
    );
    assert!(
        mistakes.contains("did you mean TAPEDECK_DATA_DIR?"),
        "{mistakes}"
    );
    assert!(
        mistakes.contains(".env:2 (TAPEDECK_SERVER_PROT)"),
        "{mistakes}"
    );
    assert!(
        mistakes.contains("did you mean TAPEDECK_SERVER_PORT?"),
        "{mistakes}"
    );
}

#[test]
fn a_number_in_a_variable_must_be_one() {
    let mistakes = Place::new(&[(".env", "SERVER_PORT=high")], &[]).mistakes();
    assert!(
        mistakes.contains(".env:1 (SERVER_PORT): server.port must be a whole number"),
        "{mistakes}"
    );
}

#[test]
fn the_shown_configuration_masks_secrets_and_can_be_read_back() {
    let environment = [
        ("TAPEDECK_AUTH_OPERATOR_KEY", "very-secret-key"),
        ("LIVEKIT_API_SECRET", "hush-hush"),
    ];
    let loaded = Place::new(
        &[("tapedeck.toml", "[audio]\nbitrate = 96000")],
        &environment,
    )
    .load()
    .unwrap();
    let shown = loaded.to_toml();
    assert!(
        !shown.contains("very-secret-key") && !shown.contains("hush-hush"),
        "{shown}"
    );
    assert!(!format!("{loaded:?}").contains("hush-hush"));
    assert!(
        shown.contains("operator_key = \"***\"  # environment (TAPEDECK_AUTH_OPERATOR_KEY)"),
        "{shown}"
    );
    let read = Place::new(&[("tapedeck.toml", &shown)], &[]).load();
    // A mask is too short to be a key, so a copied mask is noticed.
    assert!(read.unwrap_err().to_string().contains("auth.operator_key"));
    let unmasked = shown.replace("operator_key = \"***\"", "operator_key = \"\"");
    assert_eq!(
        Place::new(&[("tapedeck.toml", &unmasked)], &[])
            .load()
            .unwrap()
            .settings
            .audio
            .bitrate,
        96_000
    );
}

#[test]
fn times_to_keep_are_read_and_those_in_vain_told() {
    let bucket = [("S3_BUCKET", "films"), ("TAPEDECK_DATA_KEEP_FILES", "12h")];
    let loaded = Place::new(
        &[("tapedeck.toml", "[data]\nkeep_logs = \"forever\"")],
        &bucket,
    );
    let loaded = loaded.load().unwrap();
    let data = &loaded.settings.data;
    assert_eq!(data.keep_files.to_string(), "12h");
    assert_eq!(data.keep_logs.to_string(), "forever");
    assert_eq!(loaded.warnings, Vec::<String>::new());

    let on_disk = Place::new(&[], &[("TAPEDECK_DATA_KEEP_FILES", "forever")])
        .load()
        .unwrap();
    assert!(
        on_disk.warnings[0].contains("data.keep_files is of no effect"),
        "{:?}",
        on_disk.warnings
    );

    let mistakes =
        Place::new(&[("tapedeck.toml", "[data]\nkeep_logs = \"a while\"")], &[]).mistakes();
    for told in [
        "tapedeck.toml:2",
        "data.keep_logs",
        "\"until_delivered\"",
        "\"12h\"",
    ] {
        assert!(mistakes.contains(told), "{told}: {mistakes}");
    }
}
