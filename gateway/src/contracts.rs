//! What the gateway serves right now, for whoever reads it: requests, documents, method tables, operators.
//!
//! The routes are immutable and are replaced as a whole. A reader takes the state of one moment and keeps it as long
//! as it likes: a request that is in flight while another state is put in force ends by the one that it began with,
//! and its upstreams' connections live as long as somebody uses them.

mod summary;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::routes::Routes;

pub(crate) use summary::summary;

/// The state in force; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Contracts {
    current: Arc<ArcSwap<Routes>>,
}

impl Contracts {
    pub(crate) fn new(routes: Routes) -> Contracts {
        Contracts {
            current: Arc::new(ArcSwap::from_pointee(routes)),
        }
    }

    /// The state of this moment. Compiled methods with their places are in [`Routes::served`].
    pub(crate) fn routes(&self) -> Arc<Routes> {
        // Not a guard: a thread has few of them, and a request may last.
        self.current.load_full()
    }

    /// Puts another state in force for whoever asks from now on.
    pub(crate) fn replace(&self, routes: Routes) {
        self.current.store(Arc::new(routes));
    }
}
