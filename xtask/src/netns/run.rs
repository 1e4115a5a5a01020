//! Runs the chosen cases, as many at once as the machine carries, and collects what came of them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::case::{Case, Lane, Pipeline, Skip};
use super::lab::{Lab, Peer, Settings};
use super::report::{Report, Verdict};
use super::{programs, wait};

/// Workers for cases that mostly wait.
const IDLE_WORKERS: usize = 6;

/// A case on a pipeline.
pub(super) type Turn = (&'static Case, Pipeline);

/// Which case runs on which pipeline: all on the first one chosen or the default, the core ones
/// on the others; with `full` all on all.
pub(super) fn choose(
    cases: impl Iterator<Item = &'static Case>,
    filter: Option<&str>,
    pipelines: &[Pipeline],
    full: bool,
) -> Vec<Turn> {
    let cases: Vec<&Case> = cases.collect();
    let filter = filter.unwrap_or_default();
    // A whole name means this case alone, though others may begin with it.
    let exact = cases.iter().any(|case| case.name == filter);
    let wanted = |case: &&Case| {
        if exact { case.name == filter } else { case.name.contains(filter) }
    };
    let mut turns = Vec::new();
    for pipeline in Pipeline::ALL {
        if !pipelines.is_empty() && !pipelines.contains(&pipeline) {
            continue;
        }
        let all = full || pipeline == Pipeline::Layers || !pipelines.is_empty();
        let chosen = cases.iter().copied().filter(wanted).filter(|case| all || case.core);
        turns.extend(chosen.map(|case| (case, pipeline)));
    }
    turns
}

/// Runs all turns: busy ones on `jobs` workers, waiting ones beside them, then the lonely ones.
pub(super) fn run_all(
    settings: &Arc<Settings>,
    turns: &[Turn],
    jobs: usize,
    keep: bool,
    json: bool,
) -> Report {
    let lane = |wanted: Lane| -> VecDeque<Turn> {
        turns.iter().filter(|(case, _)| case.lane == wanted).copied().collect()
    };
    let report = Mutex::new(Report::new(json));
    let work = |queue: &Mutex<VecDeque<Turn>>| {
        loop {
            let turn = lock(queue).pop_front();
            let Some((case, pipeline)) = turn.filter(|_| !wait::stopped()) else { break };
            let (verdict, time) = run_one(settings, case, pipeline, keep);
            lock(&report).add(case, pipeline, verdict, time);
        }
    };
    let (busy, idle, alone) = (lane(Lane::Busy), lane(Lane::Idle), lane(Lane::Alone));
    let (busy, idle, alone) = (Mutex::new(busy), Mutex::new(idle), Mutex::new(alone));
    if jobs > 1 {
        thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| work(&busy));
            }
            for _ in 0..IDLE_WORKERS {
                scope.spawn(|| work(&idle));
            }
        });
    }
    for queue in [&busy, &idle, &alone] {
        work(queue);
    }
    report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn run_one(
    settings: &Arc<Settings>,
    case: &Case,
    pipeline: Pipeline,
    keep: bool,
) -> (Verdict, Duration) {
    let start = wait::now();
    if case.stackd_only && settings.peer == Peer::Kernel {
        return (Verdict::Skipped("not with --peer kernel".to_owned()), start.elapsed());
    }
    if let Some(missing) = programs::missing(case.needs) {
        return (Verdict::Skipped(missing), start.elapsed());
    }
    let mut lab = match Lab::new(settings, pipeline) {
        Ok(lab) => lab,
        Err(error) => return (Verdict::Failed(format!("{error:#}\n")), start.elapsed()),
    };
    let done = catch_unwind(AssertUnwindSafe(|| (case.run)(&mut lab).and_then(|()| lab.close())));
    let time = start.elapsed();
    let verdict = match done {
        _ if wait::stopped() => Verdict::Skipped("interrupted".to_owned()),
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(error)) => match error.downcast_ref::<Skip>() {
            Some(Skip(reason)) => Verdict::Skipped(reason.clone()),
            None => Verdict::Failed(format!("{error:#}\n{}", lab.account())),
        },
        Err(_) => Verdict::Failed(format!("the case panicked\n{}", lab.account())),
    };
    if keep && matches!(verdict, Verdict::Failed(_)) && !wait::stopped() {
        eprintln!(
            "{} failed; kept until Ctrl-C: {}",
            case.name,
            lab.namespace().prefix().join(" ")
        );
        // It ends with the interruption it waits for.
        let _ = wait::pause(Duration::from_secs(86_400));
    }
    (verdict, time)
}

/// A case that panicked while holding a lock has left nothing half done in it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
