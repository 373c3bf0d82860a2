//! What a run of any scenario needs to know.

use std::path::PathBuf;

use crate::plan::Form;

/// What a run needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of everything random.
    pub seed: u64,
    /// How much is done.
    pub form: Form,
    /// The `banyan` to run; the one of this build where absent.
    pub binary: Option<PathBuf>,
    /// Under which folder the run keeps its files.
    pub parent: PathBuf,
}
