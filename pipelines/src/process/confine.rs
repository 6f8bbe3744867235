//! What a process that handles media of strangers gives up before it sees any: new privileges, core
//! dumps, and most of the file system.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The variable that leaves the file system open to processes, if the server says so.
pub const SANDBOX_VARIABLE: &str = "TAPEDECK_SANDBOX";
/// Its value then.
pub const SANDBOX_OFF: &str = "off";

/// The newest rights that the kernel is asked to look at; an older kernel looks at fewer. Those of
/// ABI 5 and later are about devices, which only what may be opened could be used for.
const FILES: ABI = ABI::V3;
/// The first kernel that looks at TCP, and at signals.
const NETWORK: ABI = ABI::V4;
const SCOPES: ABI = ABI::V6;

/// Files that a process may have open at once; a room of 100 publishers over TCP has fewer.
const MOST_FILES: u64 = 4_096;

/// What libraries read: themselves, names of hosts, certificates, fonts, plugins. Neither homes nor
/// `/run`, where secrets of containers are, nor other recordings.
const SYSTEM: [&str; 20] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/var/cache/fontconfig",
    "/var/lib/ca-certificates",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/run/nscd",
    "/run/current-system",
];
/// Likewise below the home folder.
const HOME: [&str; 7] = [
    ".cache/gstreamer-1.0",
    ".cache/fontconfig",
    ".config/fontconfig",
    ".fonts",
    ".fonts.conf",
    ".local/share/fonts",
    ".local/share/gstreamer-1.0",
];
/// Variables that name further files and folders of that kind, separated by colons.
const PATHS: [&str; 16] = [
    "LD_LIBRARY_PATH",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_PATH_1_0",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_PLUGIN_SYSTEM_PATH_1_0",
    "GST_PLUGIN_SCANNER",
    "GST_PLUGIN_SCANNER_1_0",
    "GST_REGISTRY",
    "GST_REGISTRY_1_0",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "FONTCONFIG_SYSROOT",
    "XDG_CACHE_HOME",
    "XDG_DATA_DIRS",
];
/// Devices that programs write to, which harms nobody.
const SINKS: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

/// What a process needs besides what libraries read.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Folders in which it may do everything but run programs.
    pub written: Vec<PathBuf>,
    /// Sockets that it makes or connects to.
    pub sockets: Vec<PathBuf>,
    /// Whether it connects to others, or listens, over TCP.
    pub network: bool,
}

/// How much of the file system a process has given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// It reaches what it was given.
    Confined,
    /// Likewise, but the kernel is too old to look at everything.
    Partly,
    /// The kernel has no Landlock, or it is switched off.
    Unsupported,
    /// The operator wants none.
    Off,
}

/// Gives up new privileges and core dumps, which hold keys and what participants said, and bounds
/// the number of open files.
///
/// # Errors
/// The system refuses.
pub fn give_up_privileges() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    let files = getrlimit(Resource::Nofile);
    let most = files.maximum.unwrap_or(MOST_FILES).min(MOST_FILES);
    let files = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(Resource::Nofile, files)?)
}

/// Leaves this thread, and those that it begins, with `reach`. To be called before others run.
///
/// # Errors
/// The kernel refuses.
pub fn confine(reach: &Reach) -> Result<Confinement, RulesetError> {
    if env::var_os(SANDBOX_VARIABLE).is_some_and(|value| value == SANDBOX_OFF) {
        return Ok(Confinement::Off);
    }
    let everything = AccessFs::from_all(FILES);
    let reading = AccessFs::from_read(FILES);
    let writing = everything & !BitFlags::from(AccessFs::Execute);
    let at_sockets = AccessFs::ReadDir | AccessFs::MakeSock | AccessFs::RemoveFile;
    let mut rules = Ruleset::default()
        .handle_access(everything)?
        .scope(Scope::from_all(SCOPES))?;
    if !reach.network {
        rules = rules.handle_access(AccessNet::from_all(NETWORK))?;
    }
    let folders = reach.sockets.iter().filter_map(|socket| socket.parent());
    let status = rules
        .create()?
        .add_rules(path_beneath_rules(readable(), reading))?
        .add_rules(path_beneath_rules(&reach.written, writing))?
        .add_rules(path_beneath_rules(
            SINKS,
            AccessFs::ReadFile | AccessFs::WriteFile,
        ))?
        .add_rules(path_beneath_rules(folders, at_sockets))?
        .add_rules(path_beneath_rules(
            tapedeck_failpoints::mark_folder(),
            AccessFs::MakeReg | AccessFs::WriteFile,
        ))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Confined,
        RulesetStatus::PartiallyEnforced => Confinement::Partly,
        RulesetStatus::NotEnforced => Confinement::Unsupported,
    })
}

/// Whether the kernel can confine a process, without confining this one.
pub fn kernel_confines() -> bool {
    use landlock::{CompatLevel, Compatible as _};
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .is_ok()
}

fn readable() -> Vec<PathBuf> {
    let system = SYSTEM.iter().map(PathBuf::from);
    let home = env::var_os("HOME").map(PathBuf::from);
    let own = home
        .iter()
        .flat_map(|home| HOME.map(|path| home.join(path)));
    let named = PATHS
        .iter()
        .filter_map(env::var_os)
        .flat_map(|list| env::split_paths(&list).collect::<Vec<_>>())
        .filter(|path| path.is_absolute() && path.as_path() != Path::new("/"));
    let executable = env::current_exe().ok();
    system.chain(own).chain(named).chain(executable).collect()
}

/// Confines a process and tells what came of it, for its log. Nothing of it keeps a recording from
/// being made.
pub fn harden(reach: Option<&Reach>) -> Vec<(log::Level, String)> {
    let mut told = Vec::new();
    if let Err(error) = give_up_privileges() {
        told.push((
            log::Level::Warn,
            format!("cannot give up privileges: {error}"),
        ));
    }
    let Some(reach) = reach else { return told };
    told.push(match confine(reach) {
        Ok(Confinement::Confined) => (
            log::Level::Info,
            "confined: nothing but its folder can be written".to_owned(),
        ),
        Ok(Confinement::Partly) => (
            log::Level::Info,
            "confined as far as this kernel's Landlock goes".to_owned(),
        ),
        Ok(Confinement::Unsupported) => (
            log::Level::Info,
            "not confined: this kernel has no Landlock".to_owned(),
        ),
        Ok(Confinement::Off) => (
            log::Level::Info,
            "not confined: the configuration says so".to_owned(),
        ),
        Err(error) => (log::Level::Warn, format!("cannot be confined: {error}")),
    });
    told
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// Only the thread that asks for it is confined, so the other tests are not.
    fn confined(reach: Reach, look: impl FnOnce() + Send + 'static) {
        if !kernel_confines() {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        let checked = thread::spawn(move || {
            let confinement = confine(&reach).unwrap();
            assert!(matches!(
                confinement,
                Confinement::Confined | Confinement::Partly
            ));
            look();
        });
        checked.join().unwrap();
    }

    #[test]
    fn only_its_own_folder_can_be_written_and_others_not_even_read() {
        let data = tempfile::tempdir().unwrap();
        let (own, other) = (data.path().join("own"), data.path().join("other"));
        let run = data.path().join("run");
        for folder in [&own, &other, &run] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(other.join("media"), "of somebody else").unwrap();
        fs::write(own.join("media"), "of this recording").unwrap();
        fs::write(run.join("secret"), "x").unwrap();
        let reach = Reach {
            written: vec![own.clone()],
            sockets: vec![run.join("a.sock")],
            network: false,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        confined(reach, move || {
            fs::create_dir(own.join("log")).unwrap();
            fs::write(own.join("log/0"), "frame").unwrap();
            fs::rename(own.join("log/0"), own.join("1")).unwrap();
            fs::remove_file(own.join("media")).unwrap();
            UnixListener::bind(run.join("a.sock")).unwrap();
            fs::remove_file(run.join("a.sock")).unwrap();
            fs::write("/dev/null", "x").unwrap();
            assert!(fs::read("/etc/passwd").is_ok());
            for denied in [
                fs::write(other.join("new"), "x"),
                fs::write(data.path().join("operator.key"), "x"),
                fs::write(run.join("new"), "x"),
                fs::write("/etc/tapedeck-was-here", "x"),
                fs::write(env::temp_dir().join("tapedeck-was-here"), "x"),
                fs::remove_file(other.join("media")),
                fs::rename(own.join("1"), other.join("1")),
                fs::read(other.join("media")).map(drop),
                fs::read(run.join("secret")).map(drop),
                fs::read_dir(&other).map(drop),
            ] {
                let error = denied.unwrap_err();
                let kinds = [
                    io::ErrorKind::PermissionDenied,
                    io::ErrorKind::CrossesDevices,
                ];
                assert!(kinds.contains(&error.kind()), "{error}");
            }
            // As far as the kernel looks at TCP.
            if let Err(error) = TcpStream::connect(address) {
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            }
        });
    }
}
