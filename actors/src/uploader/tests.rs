use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use sha2::{Digest, Sha256};
use tapedeck_storage::{RecordingMetadata, RecordingStore, Stores};

use super::*;
use crate::clock::now_ms;
use crate::common::{TroubledStore, wait_until};
use crate::{RetryError, UploadSettings, UploadState, UploadTrouble};

/// Plays the sessions.
struct Session(Vec<UploadTrouble>);

impl Actor for Session {
    type Context = Context<Self>;
}

impl Handler<UploadTrouble> for Session {
    type Result = ();

    fn handle(&mut self, trouble: UploadTrouble, _: &mut Self::Context) {
        self.0.push(trouble);
    }
}

#[derive(Message)]
#[rtype(result = "Vec<UploadTrouble>")]
struct Troubles;

impl Handler<Troubles> for Session {
    type Result = Vec<UploadTrouble>;

    fn handle(&mut self, _: Troubles, _: &mut Self::Context) -> Self::Result {
        self.0.clone()
    }
}

const AT_ONCE: UploadSettings = UploadSettings {
    at_once: 3,
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(4),
};
/// Blocked uploads are not tried again within the test.
const PATIENT: UploadSettings = UploadSettings {
    longest_pause: Duration::from_secs(3_600),
    ..AT_ONCE
};

struct World {
    folder: tempfile::TempDir,
    store: Arc<TroubledStore>,
    table: Arc<UploadTable>,
    uploader: Addr<UploaderActor>,
    session: Addr<Session>,
}

impl World {
    fn new(settings: UploadSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(TroubledStore::new(&folder.path().join("store")));
        let table = Arc::<UploadTable>::default();
        let uploader =
            UploaderActor::new(Stores::from(store.clone()), settings, table.clone()).start();
        Self {
            folder,
            store,
            table,
            uploader,
            session: Session(Vec::new()).start(),
        }
    }

    fn deliver(&self, order: Order) -> actix::dev::Request<UploaderActor, Deliver> {
        let trouble = self.session.clone().recipient();
        self.uploader.send(Deliver { order, trouble })
    }

    async fn stands(&self, id: &str, state: UploadState) {
        wait_until(&format!("{id} is {state:?}"), async || {
            let page = self.table.page(None, 1_000);
            let found = page.uploads.iter().find(|upload| upload.id == id)?;
            (found.state == state).then_some(())
        })
        .await;
    }
}

fn order(folder: &Path, number: usize, names: &[&str]) -> Order {
    let id = format!("EG_{number}");
    let main = format!("{number}.mp4");
    let files = names.iter().map(|name| {
        let name = format!("{number}{name}");
        let content = format!("film {name}");
        let path: PathBuf = folder.join(format!("work-{name}"));
        std::fs::write(&path, &content).unwrap();
        let sha256: String = Sha256::digest(&content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        FileToStore {
            path,
            metadata: RecordingMetadata {
                id: id.clone(),
                part_of: (name != main).then(|| main.clone()),
                name,
                room_name: "room".into(),
                room_id: String::new(),
                started_at: 0,
                duration: 1.0,
                size: content.len() as u64,
                sha256: Some(sha256),
                metadata: None,
                end_reason: None,
                gaps: Vec::new(),
                pauses: Vec::new(),
                files: Vec::new(),
            },
        }
    });
    Order {
        files: files.collect(),
        id,
        name: main,
        room_name: "room".into(),
        source: "livekit".into(),
        trouble: None,
    }
}

#[actix_rt::test]
async fn a_hundred_uploads_each_arrive_once_whatever_the_store_does_and_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(TroubledStore {
        succeeds_each: 3,
        ..TroubledStore::new(&folder.path().join("store"))
    });
    let orders: Vec<Order> = (0..100)
        .map(|number| order(folder.path(), number, &[".mp4"]))
        .collect();
    let start = |arbiter: &ArbiterHandle| {
        let actor = UploaderActor::new(Stores::from(store.clone()), AT_ONCE, Default::default());
        UploaderActor::start_in_arbiter(arbiter, |_| actor)
    };
    let session = Session(Vec::new()).start();
    let ask = |uploader: &Addr<UploaderActor>, order: &Order| {
        let (order, trouble) = (order.clone(), session.clone().recipient());
        uploader.send(Deliver { order, trouble })
    };

    let first_server = Arbiter::new();
    let first = start(&first_server.handle());
    let asked = orders.iter().map(|order| ask(&first, order));
    let all = futures_util::future::join_all(asked);
    // It ends in the middle of it, with uploads under way.
    tokio::select! {
        _ = all => panic!("it was to be stopped in the middle"),
        () = async { while store.puts.load(Ordering::SeqCst) < 120 { store.asked.notified().await } } => {}
    }
    first_server.stop();
    first_server.join().unwrap();
    let before = store.list().await.unwrap().len();
    assert!((1..100).contains(&before), "{before}");

    let next = start(&Arbiter::current());
    let deliveries = futures_util::future::join_all(orders.iter().map(|order| ask(&next, order)));
    for (delivery, order) in deliveries.await.into_iter().zip(&orders) {
        let Ok(Delivery::Stored(stored)) = delivery else {
            panic!("{}: {delivery:?}", order.name);
        };
        assert_eq!(stored.len(), 1);
    }
    let mut names: Vec<_> = store.list().await.unwrap();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    names.dedup_by(|a, b| a.name == b.name);
    assert_eq!(names.len(), 100);
    for order in &orders {
        let path = folder.path().join("store").join(&order.name);
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            format!("film {}", order.name)
        );
    }
    assert!(store.most_under_way.load(Ordering::SeqCst) <= 3);
}

#[actix_rt::test]
async fn further_files_go_first_and_the_store_names_the_main_one_first() {
    let world = World::new(AT_ONCE);
    let order = order(world.folder.path(), 7, &["-alice.wav", "-bob.wav", ".mp4"]);
    let delivery = world.deliver(order).await.unwrap();
    let Delivery::Stored(stored) = delivery else {
        panic!("{delivery:?}");
    };
    let paths: Vec<_> = stored.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["7.mp4", "7-alice.wav", "7-bob.wav"]);
    assert!(world.table.page(None, 9).uploads.is_empty());
}

#[actix_rt::test]
async fn a_name_that_is_taken_leaves_no_further_file_behind() {
    let world = World::new(AT_ONCE);
    let theirs = world.folder.path().join("store/7.mp4");
    // Of another size, and of the same size with other content.
    for content in ["other", "FILM 7.mp4"] {
        std::fs::write(&theirs, content).unwrap();
        let order = order(world.folder.path(), 7, &["-alice.wav", ".mp4"]);
        assert_eq!(world.deliver(order).await.unwrap(), Delivery::NameTaken);
        assert!(world.store.head("7-alice.wav").await.is_err());
        assert_eq!(std::fs::read_to_string(&theirs).unwrap(), content);
    }
}

#[actix_rt::test]
async fn a_blocked_upload_says_so_and_goes_on_when_asked_or_when_the_store_answers() {
    let world = World::new(PATIENT);
    world.store.refuses.store(true, Ordering::SeqCst);
    let folder = world.folder.path();
    let asked: Vec<_> = (1..=2)
        .map(|number| world.deliver(order(folder, number, &[".mp4"])))
        .collect();
    let both = actix::spawn(futures_util::future::join_all(asked));
    for id in ["EG_1", "EG_2"] {
        world.stands(id, UploadState::Blocked).await;
    }
    let page = world.table.page(None, 1);
    let first = &page.uploads[0];
    assert_eq!((first.attempts, first.sent_bytes), (1, 0));
    assert!(
        first
            .last_error
            .as_ref()
            .unwrap()
            .contains("as the test says")
    );
    assert!(first.next_try_ms.is_some());
    let second = world.table.page(page.next_cursor.as_deref(), 1);
    assert_ne!(second.uploads[0].id, first.id);
    assert_eq!(second.next_cursor, None);
    let troubles = world.session.send(Troubles).await.unwrap();
    assert!(
        troubles.iter().all(|trouble| trouble.blocked),
        "{troubles:?}"
    );

    world.store.refuses.store(false, Ordering::SeqCst);
    let retry = |id: &str| world.uploader.send(Retry(id.into()));
    assert_eq!(retry("EG_9").await.unwrap(), Err(RetryError::NotFound));
    assert_eq!(retry("EG_1").await.unwrap(), Ok(()));
    // The second one hears of it.
    for delivery in both.await.unwrap() {
        assert!(matches!(delivery.unwrap(), Delivery::Stored(_)));
    }
}

#[actix_rt::test]
async fn the_next_server_knows_when_to_try_again_and_why() {
    let trouble = |blocked| UploadTrouble {
        attempts: 7,
        blocked,
        error: "it was away".into(),
        failed_at_ms: now_ms(),
        next_try_ms: Some(now_ms() + 600_000),
    };
    let world = World::new(PATIENT);
    let waiting = Order {
        trouble: Some(trouble(false)),
        ..order(world.folder.path(), 1, &[".mp4"])
    };
    let next_try = waiting.trouble.clone().unwrap().next_try_ms.unwrap();
    let delivery = actix::spawn(world.deliver(waiting));
    world.stands("EG_1", UploadState::Waiting).await;
    let told = world.table.page(None, 1).uploads.remove(0);
    assert_eq!(
        (told.attempts, told.last_error.as_deref()),
        (7, Some("it was away"))
    );
    assert!((told.next_try_ms.unwrap() - next_try).abs() < 1_000);
    assert_eq!(world.store.puts.load(Ordering::SeqCst), 0);

    // What was blocked may be mended by that server, and its success is a sign for the others.
    let blocked = Order {
        trouble: Some(trouble(true)),
        ..order(world.folder.path(), 2, &[".mp4"])
    };
    let stored = world.deliver(blocked).await.unwrap();
    assert!(matches!(stored, Delivery::Stored(_)), "{stored:?}");
    let stored = delivery.await.unwrap().unwrap();
    assert!(matches!(stored, Delivery::Stored(_)), "{stored:?}");

    // A ceiling that was lowered counts from the start.
    let hasty = World::new(AT_ONCE);
    let waiting = Order {
        trouble: Some(trouble(false)),
        ..order(hasty.folder.path(), 1, &[".mp4"])
    };
    let stored = hasty.deliver(waiting).await.unwrap();
    assert!(matches!(stored, Delivery::Stored(_)), "{stored:?}");
}

#[actix_rt::test]
async fn an_upload_that_is_called_off_leaves_nothing() {
    let world = World::new(PATIENT);
    world.store.hangs.store(true, Ordering::SeqCst);
    let order = order(world.folder.path(), 1, &[".mp4"]);
    let delivery = actix::spawn(world.deliver(order));
    world.stands("EG_1", UploadState::Uploading).await;
    world.store.asked.notified().await;
    let retried = world.uploader.send(Retry("EG_1".into())).await.unwrap();
    assert!(matches!(retried, Err(RetryError::NotWaiting(_))));
    let cancelled = world.uploader.send(Cancel("EG_1".into())).await.unwrap();
    assert_eq!(cancelled, Ok(()));
    assert_eq!(delivery.await.unwrap().unwrap(), Delivery::Cancelled);
    assert_eq!(world.store.given_up.load(Ordering::SeqCst), 1);
    assert_eq!(world.store.under_way.load(Ordering::SeqCst), 0);
    // Once more is no fault.
    let again = world.uploader.send(Cancel("EG_1".into())).await.unwrap();
    assert_eq!(again, Ok(()));
}

#[actix_rt::test]
async fn what_arrives_damaged_is_told_and_the_file_stays() {
    let world = World::new(UploadSettings {
        longest_pause: Duration::from_millis(2),
        ..AT_ONCE
    });
    world.store.damages.store(true, Ordering::SeqCst);
    let order = order(world.folder.path(), 1, &[".mp4"]);
    let path = order.files[0].path.clone();
    let delivery = actix::spawn(world.deliver(order));
    world.stands("EG_1", UploadState::Blocked).await;
    assert!(path.exists());
    world.store.damages.store(false, Ordering::SeqCst);
    assert!(matches!(
        delivery.await.unwrap().unwrap(),
        Delivery::Stored(_)
    ));
}

#[actix_rt::test]
async fn a_file_that_changed_here_is_not_blamed_on_the_store() {
    let world = World::new(AT_ONCE);
    let order = order(world.folder.path(), 1, &[".mp4"]);
    std::fs::write(&order.files[0].path, "FILM 1.mp4").unwrap();
    let delivery = world.deliver(order).await.unwrap();
    assert!(
        matches!(&delivery, Delivery::SourceUnusable(detail) if detail.contains("SHA-256")),
        "{delivery:?}"
    );
}
