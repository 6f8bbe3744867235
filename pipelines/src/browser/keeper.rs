//! Keeps one browser running for as long as somebody wants a tab.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::job::BrowserSettings;

use super::chromium::{Browser, BrowserError};
use super::listening::happened;

/// How long the browser may take to end when it is told to, with its tabs.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);

/// The browser that all tabs share, started when it is needed.
pub struct Keeper {
    settings: BrowserSettings,
    current: Mutex<Current>,
    sandbox: AtomicBool,
}

#[derive(Default)]
struct Current {
    browser: Option<Arc<Browser>>,
    /// True when nothing is left of the browser; one for each that may still be there.
    endings: Vec<watch::Receiver<bool>>,
}

impl Keeper {
    pub fn new(settings: BrowserSettings) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            log::warn!("Chromium's sandbox does not work for root: it runs without");
        }
        Self {
            settings,
            current: Mutex::default(),
            sandbox: AtomicBool::new(!is_root),
        }
    }

    /// The running browser, or a new one if it has gone.
    ///
    /// # Errors
    /// None can be started.
    pub async fn browser(&self) -> Result<Arc<Browser>, BrowserError> {
        let current = &mut *self.current.lock().await;
        if let Some(browser) = current
            .browser
            .as_ref()
            .filter(|browser| !browser.is_gone())
        {
            return Ok(Arc::clone(browser));
        }
        current.browser = None;
        current.endings.retain(|ended| !*ended.borrow());
        let sandbox = self.sandbox.load(Ordering::Relaxed);
        let mut started = Browser::start(&self.settings, sandbox, &mut current.endings).await;
        if sandbox && matches!(started, Err(BrowserError::EndedAtOnce)) {
            started = Browser::start(&self.settings, false, &mut current.endings).await;
            if started.is_ok() {
                log::warn!(
                    "Chromium's sandbox does not work here (it needs user namespaces, or the \
                     package chromium-sandbox): it runs without"
                );
                self.sandbox.store(false, Ordering::Relaxed);
            }
        }
        let browser = Arc::new(started?);
        current.browser = Some(Arc::clone(&browser));
        Ok(browser)
    }

    /// Kills a browser that hangs. Who wants a tab then gets another one.
    pub async fn give_up(&self, hanging: &Arc<Browser>) {
        hanging.kill();
        let current = &mut *self.current.lock().await;
        let is_it = |browser: &mut Arc<Browser>| Arc::ptr_eq(browser, hanging);
        if current.browser.take_if(is_it).is_some() {
            log::warn!("the browser does not answer, killing it");
        }
    }

    /// Ends the browser, with all that it left.
    pub async fn close(&self) {
        let mut current = self.current.lock().await;
        let held = current.browser.take().as_ref().map(Arc::downgrade);
        let mut endings = std::mem::take(&mut current.endings);
        let all_ended = async {
            for ended in &mut endings {
                happened(ended).await;
            }
        };
        tokio::pin!(all_ended);
        if tokio::time::timeout(CLOSE_TIMEOUT, &mut all_ended)
            .await
            .is_err()
        {
            // A tab that cannot be closed still holds it.
            if let Some(browser) = held.and_then(|browser| browser.upgrade()) {
                browser.kill();
            }
            all_ended.await;
        }
    }
}
