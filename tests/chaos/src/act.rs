//! One act of a scenario: a load on a stage, one fault after the other, each judged by what was seen until then, and in
//! the end the judgement over all.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use banyan_history::record::{Line, Recorder};

use crate::{
    chance::Chance,
    fault::Fault,
    final_state,
    follower::Follower,
    judge::{self, Judgement, Moment},
    load::{Load, Settings, Stock, Tally},
    plan::Form,
    progress::Progress,
    stage::Stage,
    wait,
};

/// The system is back when every replica has granted so much, and all together so much, of what was asked after the
/// cause of the fault was gone.
const GRANTS_OF_EACH: u64 = 3;
const GRANTS_OF_ALL: u64 = 20;
/// It has to be back after this long.
const RETURN_LIMIT: Duration = Duration::from_secs(45);

/// How an act went.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) kills: u64,
    /// How often the history so far was judged, and held.
    pub(crate) judged: u64,
    pub(crate) events: u64,
    pub(crate) longest_outage: Duration,
    /// Answers, and things that happened, by what they were.
    pub(crate) tally: Tally,
    /// How often each fault happened, and the longest time until the system was back.
    pub(crate) returns: BTreeMap<String, (u64, Duration)>,
    pub(crate) judgement: Judgement,
}

/// Plays an act. The stage ends with it; what it leaves in the folder tells what went wrong if it fails.
pub(crate) async fn play(
    mut stage: Stage,
    faults: Vec<Fault>,
    (form, seed): (Form, u64),
    folder: &Path,
    progress: &Progress,
) -> anyhow::Result<Outcome> {
    let stock = Stock::find(stage.channel(0)?).await?;
    let path = folder.join(judge::HISTORY);
    let recorder = Recorder::to_file(&path).context("cannot write the history")?;
    recorder.line(Line::Start {
        sequence: stock.sequence,
    });
    let channels = (0..stage.replicas.len()).map(|replica| stage.channel(replica));
    let mut follower = Follower::start(channels.collect::<Result<_, _>>()?);
    let settings = Settings {
        seed,
        clients: form.clients(),
    };
    let open = |replica| stage.channel(replica);
    let mut load = Load::start(
        &settings,
        stock,
        recorder.clone(),
        stage.replicas.len(),
        open,
    )?;

    let mut outcome = Outcome::default();
    let mut chance = Chance::stream(seed, 0);
    returned(&mut stage, &mut load, &mut follower)
        .await
        .context("before the first fault")?;
    for (number, fault) in (1..).zip(&faults) {
        tokio::time::sleep(form.calm(&mut chance)).await;
        let happened = suffer(*fault, &mut stage, &mut load, &mut follower).await;
        let back =
            happened.with_context(|| format!("fault {number} of {}: {fault}", faults.len()))?;
        let name = stage.database.name();
        progress.say(&format!(
            "{name} {number}/{}: {fault}: back after {:.1} s, {} events so far",
            faults.len(),
            back.as_secs_f64(),
            follower.count()
        ));
        let so_far = load.hold_back(moment(&stage, &recorder, &path)).await?;
        let own = folder.to_owned();
        let judged = tokio::task::spawn_blocking(move || judge::judge_so_far(&own, so_far));
        let held = judged.await.context("the checker was aborted")?;
        held.with_context(|| format!("after fault {number} of {}: {fault}", faults.len()))?;
        outcome.judged += 1;
        outcome.kills += fault.kills(stage.replicas.len());
        let (times, longest) = outcome.returns.entry(fault.to_string()).or_default();
        *times += 1;
        *longest = back.max(*longest);
    }
    tokio::time::sleep(form.calm(&mut chance)).await;

    let load = load.end().await?;
    stage.end().await?;
    let sql = stage.database.connect().await?;
    let events = final_state::record(&sql, &recorder).await?;
    sql.close().await.context("cannot close a connection")?;
    follower.end(&events).await?;
    recorder.finish().context("cannot write the history")?;
    outcome.events = events.len() as u64;
    outcome.longest_outage = load.pulse.longest_outage();
    outcome.tally = load.pulse.tally();
    drop(stage);
    outcome.judgement = judge::judge(folder, &outcome.tally)?;
    outcome.judged += 1;
    Ok(outcome)
}

/// What was recorded and what the database holds, while nobody waits for an answer.
async fn moment(stage: &Stage, recorder: &Recorder, path: &Path) -> anyhow::Result<Moment> {
    recorder.finish().context("cannot write the history")?;
    let bytes = fs::metadata(path).context("cannot read the history")?.len();
    let held = Recorder::in_memory();
    let sql = stage.database.connect().await?;
    final_state::record(&sql, &held).await?;
    sql.close().await.context("cannot close a connection")?;
    let held = held.finish()?;
    Ok(Moment { bytes, held })
}

/// Lets a fault happen; how long after it was over the system was back.
async fn suffer(
    fault: Fault,
    stage: &mut Stage,
    load: &mut Load,
    follower: &mut Follower,
) -> anyhow::Result<Duration> {
    fault.happen(stage, load).await?;
    let over = Instant::now();
    returned(stage, load, follower).await?;
    Ok(over.elapsed())
}

/// Waits until the system is back, by itself.
async fn returned(
    stage: &mut Stage,
    load: &mut Load,
    follower: &mut Follower,
) -> anyhow::Result<()> {
    load.pulse().mark();
    let told = follower.count();
    wait::until(
        "every replica grants again and the feed goes on",
        RETURN_LIMIT,
        async || {
            stage.tend()?;
            load.check()?;
            follower.check().await?;
            let (of_each, of_all) = load.pulse().grants();
            Ok(of_each >= GRANTS_OF_EACH && of_all >= GRANTS_OF_ALL && follower.count() > told)
        },
    )
    .await
}
