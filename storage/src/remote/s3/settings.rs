use std::path::PathBuf;

/// Where a bucket is, and who asks.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// Address of the server, `http` or `https`; empty for AWS.
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    /// Where recordings lie in the bucket, such as `recordings/`.
    pub prefix: String,
    /// Empty for AWS's usual sources: environment, web identity, container and instance roles.
    pub access_key: String,
    pub secret_key: String,
    /// Of temporary credentials; empty for none.
    pub session_token: String,
    /// Certificates that the server's may be signed with, besides the system's: PEM.
    pub ca_file: Option<PathBuf>,
}
