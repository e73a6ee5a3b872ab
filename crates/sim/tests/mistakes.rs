//! Each mistake of a host, made on purpose, is found within a thousand seeds.
use sim::hunt::{Stage, on_big_stack};
use sim::mistakes::{ALL, Mistake};
use sim::programs;

/// Programs that are tried, those first that are most likely to tell.
fn found(mistake: Mistake, names: &[&str]) -> Option<(u64, String, String)> {
    for name in names {
        let program = programs::ALL.iter().find(|p| p.name == *name).expect("a program of the simulator");
        let mut stage = Stage::of(program).unwrap_or_else(|e| panic!("{e}"));
        stage.mistake = Some(mistake);
        if let Some(hit) = (0..1000).find_map(|seed| Some((seed, stage.fails(seed)?))) {
            return Some((hit.0, (*name).to_owned(), hit.1));
        }
    }
    None
}

fn is_found(mistake: Mistake) {
    let names: &[&str] = match mistake {
        Mistake::WakeUpLost => &["limits"],
        Mistake::TimerLost => &["timers"],
        #[cfg(feature = "seeded-bugs")]
        Mistake::ShapeReused => &["shapes"],
        _ => &["once"],
    };
    on_big_stack(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let hit = found(mistake, names);
        std::panic::set_hook(hook);
        let (seed, program, what) = hit.unwrap_or_else(|| panic!("{mistake:?} is not found by 1000 seeds"));
        println!("{mistake:?}: {program}, seed {seed}: {what}");
    });
}

#[test]
fn every_mistake_of_the_simulated_host_is_found() {
    for (_, mistake) in ALL {
        is_found(*mistake);
    }
}

#[cfg(feature = "seeded-bugs")]
#[test]
fn every_mistake_of_the_store_is_found() {
    use store::Bug;
    // a segment of the log that is used again too early is found by the store's own tests: runs of the simulator are too short for it
    let bugs =
        [Bug::SyncSkipped, Bug::ExtentSyncSkipped, Bug::TornTailAccepted, Bug::StaleFrameAdopted, Bug::ExtentRecycledEarly];
    for bug in bugs {
        is_found(Mistake::Store(bug));
    }
}
