//! One guest who lets holds run out, on nights that nobody else asks for: the next request must get them at once, and
//! the late confirmation must be refused, whatever is going wrong meanwhile.

use std::time::Duration;

use anyhow::bail;
use banyan_history::record::{Answer, State};

use super::{ask::What, client::Client, stock::Wish};

/// As short as a hold can be.
const SHORT: Duration = Duration::from_secs(1);
/// Longer than any answer may take.
const LONG: Duration = Duration::from_secs(600);

/// How often a hold that had run out was sold to the next one.
pub(crate) const RESOLD: &str = "resold after running out";
/// How often a late confirmation was refused.
pub(crate) const REFUSED_LATE: &str = "confirmed too late";

/// Lets holds run out until it is told to stop.
pub(super) async fn run(mut client: Client) -> anyhow::Result<()> {
    let Some(wish) = client.shared.stock.own() else {
        bail!("there are no nights to let run out");
    };
    while !client.is_stopped() {
        round(&mut client, &wish).await?;
    }
    Ok(())
}

async fn round(client: &mut Client, wish: &Wish) -> anyhow::Result<()> {
    let hold = |duration| What::Hold {
        wish: wish.clone(),
        duration,
    };
    let Some(first) = client.insist(hold(SHORT)).await else {
        return Ok(());
    };
    let Answer::Granted(first) = first else {
        bail!("nights that nobody else wants were refused: {first:?}");
    };
    until(first.booking.expire_micros.unwrap_or_default()).await;

    let Some(next) = client.insist(hold(LONG)).await else {
        return Ok(());
    };
    let Answer::Granted(next) = next else {
        bail!("what a hold that has run out had held was not sold to the next one: {next:?}");
    };
    client.shared.pulse.count(RESOLD);

    let late = What::Confirm {
        booking: first.booking.booking,
    };
    let Some(late) = client.insist(late).await else {
        return Ok(());
    };
    match late {
        Answer::Refused(refused) if refused.reason == "HOLD_EXPIRED" => {}
        other => bail!("a hold that has run out was confirmed, or refused otherwise: {other:?}"),
    }
    client.shared.pulse.count(REFUSED_LATE);

    let cancel = What::Cancel {
        booking: next.booking.booking,
    };
    let Some(cancelled) = client.insist(cancel).await else {
        return Ok(());
    };
    match cancelled {
        Answer::Granted(it) if it.booking.state == State::Cancelled => Ok(()),
        other => bail!("a hold of ten minutes could not be cancelled: {other:?}"),
    }
}

/// Waits until that time of the clock, which is the service's too.
async fn until(micros: i64) {
    let now = jiff::Timestamp::now().as_microsecond();
    let left = u64::try_from(micros - now).unwrap_or(0);
    tokio::time::sleep(Duration::from_micros(left + 1)).await;
}
