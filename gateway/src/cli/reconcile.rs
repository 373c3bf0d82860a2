//! `banyan rollout reconcile`: both sides compared page by page, to the end or as far as it goes.
//!
//! What a page found is printed before the next one is asked for, and what was done so far is told meanwhile: whoever
//! breaks it off knows what has been mended, and where to go on.

use banyan_proto::rollout::v1::ReconcileRolloutResponse;

use super::{CliError, Output, client::Client, compared, view::clean};

/// What was found so far, without the differences themselves.
type Totals = ReconcileRolloutResponse;

pub(super) async fn run(
    mut client: Client,
    mut output: Output<'_>,
    rollout: &str,
    mend: bool,
    page_token: String,
) -> Result<(), CliError> {
    let mut totals = Totals {
        next_page_token: page_token,
        ..Totals::default()
    };
    let mut pages = 0;
    while pages == 0 || !totals.next_page_token.is_empty() {
        let token = totals.next_page_token.clone();
        let page = tokio::select! {
            page = client.reconcile(rollout, mend, token) => page,
            _ = tokio::signal::ctrl_c() => Err(CliError::Stopped),
        };
        let page = match page {
            Ok(page) => page,
            Err(error) if pages == 0 => return Err(error),
            Err(error) => return Err(interrupted(rollout, error, totals)),
        };
        pages += 1;
        add(&mut totals, &page);
        print(&mut output, rollout, page, &totals)?;
        // The reader has seen enough; what is to be mended is mended all the same.
        if output.is_closed && !mend {
            return Ok(());
        }
    }
    if !output.json {
        output.write(&format!("{}\n", compared::counts(rollout, &totals)))?;
    }
    match totals.differences_count - totals.mended_count {
        0 => Ok(()),
        left => Err(CliError::Differs {
            rollout: clean(rollout),
            left,
        }),
    }
}

fn add(totals: &mut Totals, page: &ReconcileRolloutResponse) {
    totals.legacy_count += page.legacy_count;
    totals.grpc_count += page.grpc_count;
    totals.differences_count += page.differences_count;
    totals.mended_count += page.mended_count;
    totals.next_page_token.clone_from(&page.next_page_token);
}

/// A line for programs, with the counts of all pages so far; a table for people.
fn print(
    output: &mut Output<'_>,
    rollout: &str,
    page: ReconcileRolloutResponse,
    totals: &Totals,
) -> Result<(), CliError> {
    let told = ReconcileRolloutResponse {
        differences: page.differences,
        read_time: page.read_time,
        ..totals.clone()
    };
    output.print("ReconcileRolloutResponse", &told, |told| {
        compared::data_differences(&told.differences)
    })?;
    if !totals.next_page_token.is_empty() {
        output.tell(&format!("{} so far", compared::counts(rollout, totals)));
    }
    Ok(())
}

fn interrupted(rollout: &str, error: CliError, totals: Totals) -> CliError {
    CliError::Interrupted {
        why: Box::new(error),
        so_far: compared::counts(rollout, &totals),
        page_token: clean(&totals.next_page_token),
    }
}
