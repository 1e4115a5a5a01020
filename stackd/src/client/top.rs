//! `stackd top`: the stack at a glance, once a second.
//!
//! ```text
//!    connections with rate and cwnd over time | layers, packets a second | drops by reason
//!    model.rs: two samples make rates            view.rs: a model on a screen of any size
//! ```

mod model;
mod view;

use core::time::Duration;
use std::io::{self, IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use stackd::clock::Clock;

use super::Whom;
use super::http::Client;
use model::{Model, Sample};

/// Between the two samples of one frame.
const ONCE: Duration = Duration::from_millis(200);

/// Columns and lines of one frame where nobody says otherwise.
const PLAIN: (u16, u16) = (120, 40);

/// Connections, layers and drops, once a second. q ends it.
#[derive(Args, Debug)]
pub(crate) struct Top {
    /// One frame as plain text, for scripts
    #[arg(long)]
    once: bool,

    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    interval: Duration,

    #[command(flatten)]
    whom: Whom,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|s| (0.1..=3600.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "0.1 to 3600 seconds".to_owned())
}

impl Top {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut client = self.whom.connect()?;
        let clock = Clock::start();
        if self.whom.json {
            // What it shows, as the daemon says it.
            writeln!(io::stdout(), "{}", Sample::take(&mut client, clock)?.to_json())?;
            return Ok(());
        }
        if self.once {
            return once(&mut client, clock);
        }
        if !io::stdout().is_terminal() {
            bail!("top wants a terminal; --once is for files and pipes");
        }
        let mut terminal = ratatui::try_init()?;
        let outcome = watch(&mut client, clock, self.interval, |model| {
            terminal.draw(|frame| view::draw(frame, model)).map(drop)
        });
        ratatui::restore();
        outcome
    }
}

/// Two samples, one frame.
fn once(client: &mut Client, clock: Clock) -> anyhow::Result<()> {
    let mut model = Model::default();
    model.add(Sample::take(client, clock)?);
    std::thread::park_timeout(ONCE);
    model.add(Sample::take(client, clock)?);
    let text = plain(&model, PLAIN)?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// A frame as text, without blanks at the ends of its lines.
fn plain(model: &Model, (columns, lines): (u16, u16)) -> anyhow::Result<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines))?;
    terminal.draw(|frame| view::draw(frame, model))?;
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(columns)).map(|line| {
        let text: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", text.trim_end())
    });
    Ok(lines.collect())
}

/// Frame after frame until a key ends it.
fn watch(
    client: &mut Client,
    clock: Clock,
    interval: Duration,
    mut draw: impl FnMut(&Model) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut model = Model::default();
    loop {
        model.add(Sample::take(client, clock)?);
        draw(&model)?;
        let next = clock.now() + interval;
        loop {
            let left = next.since(clock.now());
            if left.is_zero() {
                break;
            }
            if !event::poll(left)? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => {
                    let control = key.modifiers.contains(KeyModifiers::CONTROL);
                    match key.code {
                        KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                        KeyCode::Char('c') if control => return Ok(()),
                        _ => {}
                    }
                }
                Event::Resize(..) => draw(&model)?,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
