//! A media server that takes connections and says nothing.

use std::time::Duration;

use tapedeck_pipelines::control::FailureKind;
use tapedeck_pipelines::job::{Secret, Source};
use tapedeck_pipelines::sources::{Known, RoomSource};
use tokio::net::TcpListener;

/// A start is given up after ten seconds; the reason has to be known before.
const BEFORE_THE_START_IS_GIVEN_UP: Duration = Duration::from_millis(9_500);

#[tokio::test]
async fn its_silence_is_told_from_its_absence() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let source = Source::Livekit {
        url: format!("ws://{address}"),
        token: Secret::new("header.claims.signature"),
    };
    let mut taken = Vec::new();
    let taking = async {
        loop {
            taken.push(listener.accept().await.unwrap());
        }
    };
    let joining = RoomSource::join(&source, true, Known::default(), Duration::from_secs(60));
    let joined = tokio::select! {
        joined = tokio::time::timeout(BEFORE_THE_START_IS_GIVEN_UP, joining) => joined,
        () = taking => unreachable!(),
    };
    let failure = joined.expect("it takes too long").err().expect("joined");
    assert_eq!(failure.kind, FailureKind::SourceTimeout, "{failure:?}");
}
