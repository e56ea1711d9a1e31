//! Starts child processes, and checks their stores afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use paytend_inbox::{Query, State, StoreAdmin as _};

use crate::child::{DIRECTORY, Opened, ROUND, TASK, claim, open, process};

/// Returns the number of rounds: `short`, unless the `PAYTEND_FAULT_ROUNDS` environment variable is set.
pub(crate) fn rounds(short: usize) -> usize {
    std::env::var("PAYTEND_FAULT_ROUNDS").map_or(short, |rounds| rounds.parse().unwrap())
}

/// The reports from the child processes.
#[derive(Default)]
pub(crate) struct Reported {
    pub(crate) accepted: BTreeSet<String>,
    pub(crate) completed: BTreeSet<String>,
}

/// A running child.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    pub(crate) fn start(task: &str, directory: &Path, round: usize, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::child", "--nocapture", "--test-threads=1"])
            .env(TASK, task)
            .env(DIRECTORY, directory)
            .env(ROUND, round.to_string())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines() {
                let Ok(line) = line else { return };
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// Reads reports until `enough` returns `true` for a report or the child ends.
    pub(crate) fn read_until(&self, reported: &mut Reported, mut enough: impl FnMut(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    note(reported, &line);
                    if enough(&line) {
                        return;
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the child reports nothing"),
            }
        }
    }

    /// Kills the child, and reads its remaining reports.
    pub(crate) fn kill(mut self, reported: &mut Reported) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        for line in self.lines.iter() {
            note(reported, &line);
        }
    }
}

fn note(reported: &mut Reported, line: &str) {
    if let Some(name) = line.strip_prefix("accepted ") {
        reported.accepted.insert(name.to_owned());
    } else if let Some(name) = line.strip_prefix("completed ") {
        reported.completed.insert(name.to_owned());
    }
}

/// The problems that a store has after a crash.
pub(crate) struct Losses {
    pub(crate) accepted: Vec<String>,
    pub(crate) completed: Vec<String>,
    pub(crate) problems: Vec<String>,
    pub(crate) repeated: Vec<String>,
}

impl Losses {
    pub(crate) fn are_none(&self) -> bool {
        [&self.accepted, &self.completed, &self.problems, &self.repeated].iter().all(|losses| losses.is_empty())
    }

    #[track_caller]
    pub(crate) fn assert_none(&self) {
        assert!(self.accepted.is_empty(), "acknowledged but not stored: {:?}", self.accepted);
        assert!(self.completed.is_empty(), "reported as completed but not done: {:?}", self.completed);
        assert!(self.problems.is_empty(), "{:?}", self.problems);
        assert!(self.repeated.is_empty(), "effects that happened more than once: {:?}", self.repeated);
    }
}

/// Compares a store with the reports of the child processes.
pub(crate) async fn losses(opened: &Opened, reported: &Reported) -> Losses {
    let entries = opened.store.list(Query { limit: usize::MAX, ..Query::default() }).await.unwrap();
    let states: BTreeMap<String, State> =
        entries.iter().map(|entry| (entry.facts.business_id.clone().unwrap(), entry.state)).collect();
    let effects = effects(opened).await;
    let done = |name: &&String| states.get(*name) == Some(&State::Done) && effects.contains_key(*name);
    let mut problems = opened.store.check().await.unwrap();
    problems.extend(
        states
            .iter()
            .filter(|(name, state)| (**state == State::Done) != effects.contains_key(*name))
            .map(|(name, state)| format!("{name} is {state}, which does not agree with its effect")),
    );
    Losses {
        accepted: reported.accepted.iter().filter(|name| !states.contains_key(*name)).cloned().collect(),
        completed: reported.completed.iter().filter(|name| !done(name)).cloned().collect(),
        repeated: effects.iter().filter(|(_, count)| **count > 1).map(|(name, _)| name.clone()).collect(),
        problems,
    }
}

async fn effects(opened: &Opened) -> BTreeMap<String, i64> {
    let read = opened.store.write(|transaction| {
        transaction
            .prepare("SELECT name, count(*) FROM effect GROUP BY name")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    });
    read.await.unwrap()
}

/// Processes the remaining notifications, and checks that the effect of each notification was committed.
pub(crate) async fn finish_and_check(directory: &Path, reported: &Reported) {
    let opened = open(directory, false).await;
    losses(&opened, reported).await.assert_none();
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let claimed = claim(&opened, 200).await;
        // The notifications are completed at the same time, so that many of them are committed together.
        futures_util::future::join_all(claimed.iter().map(|claimed| process(&opened, claimed))).await;
        let stats = opened.store.stats().await.unwrap();
        if stats.ready + stats.leased + stats.backoff == 0 {
            assert_eq!(stats.dead, 0);
            break;
        }
        assert!(Instant::now() < deadline, "{stats:?}");
        if claimed.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    losses(&opened, reported).await.assert_none();
    let effects = effects(&opened).await;
    let missing: Vec<_> = reported.accepted.iter().filter(|name| !effects.contains_key(*name)).collect();
    assert!(missing.is_empty(), "acknowledged but not processed: {missing:?}");
}
