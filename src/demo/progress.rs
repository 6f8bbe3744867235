//! What is under way: a line that changes on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Characters of the bar.
const BAR: usize = 30;

/// Writes to standard output.
pub struct Progress {
    terminal: bool,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
        }
    }

    /// Begins a step.
    pub fn step(&self, name: &'static str) -> Step {
        let step = Step {
            name,
            terminal: self.terminal,
            open: true,
        };
        step.show("…");
        step
    }
}

/// A step that is under way.
pub struct Step {
    name: &'static str,
    terminal: bool,
    open: bool,
}

impl Step {
    /// Shows how far it is.
    pub fn progress(&self, done: Duration, all: Duration) {
        self.show(&bar(done, all));
    }

    /// It worked.
    pub fn done(&mut self, what: &str) {
        self.open = false;
        if self.terminal {
            print!("\r\x1b[K");
        }
        println!("  {:<12}{what}", self.name);
    }

    fn show(&self, text: &str) {
        if self.terminal {
            print!("\r\x1b[K  {:<12}{text}", self.name);
            let _ = std::io::stdout().flush();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.open && self.terminal {
            println!();
        }
    }
}

fn bar(done: Duration, all: Duration) -> String {
    let part = (done.as_secs_f64() / all.as_secs_f64()).clamp(0.0, 1.0);
    let full = (part * BAR as f64).round() as usize;
    format!(
        "[{}{}] {} of {} s",
        "#".repeat(full),
        "-".repeat(BAR - full),
        done.as_secs().min(all.as_secs()),
        all.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_keeps_its_width() {
        let second = Duration::from_secs(1);
        assert_eq!(bar(Duration::ZERO, 10 * second).matches('-').count(), BAR);
        assert_eq!(bar(5 * second, 10 * second).matches('#').count(), BAR / 2);
        assert_eq!(
            bar(20 * second, 10 * second),
            format!("[{}] 10 of 10 s", "#".repeat(BAR))
        );
    }
}
