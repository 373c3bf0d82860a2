//! The files that keys come from, read whole: a set of public keys, and a secret where one is shared.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use banyan_mesh::settings::Secret;

use super::keys::{Keys, KeysError};
use crate::config::{TokenAlgorithm, TokensConfig};

/// No set of keys is longer.
const BYTES_MAX: u64 = 256 << 10;

/// Where keys come from.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    set: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    /// From the environment.
    secret: Option<Secret>,
    public: Vec<TokenAlgorithm>,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
pub(super) struct Read {
    set: Option<Vec<u8>>,
    secret: Option<Vec<u8>>,
}

/// Why no keys come of the files.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is longer than 256 KiB", path.display())]
    TooLong { path: PathBuf },
    #[error("{} is no set of public keys", path.display())]
    Keys {
        path: PathBuf,
        #[source]
        source: KeysError,
    },
    #[error("{} cannot be used: {allowed}", path.display())]
    Secret {
        path: PathBuf,
        allowed: &'static str,
    },
}

impl Files {
    pub(super) fn new(config: &TokensConfig) -> Files {
        let public = |algorithm: &&TokenAlgorithm| **algorithm != TokenAlgorithm::Hs256;
        let both = [&config.keys_file, &config.secret_file];
        Files {
            paths: both.into_iter().flatten().cloned().collect(),
            set: config.keys_file.clone(),
            secret_file: config.secret_file.clone(),
            secret: config.secret.clone(),
            public: config.algorithms.iter().filter(public).copied().collect(),
        }
    }

    /// What has to be looked at.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn read(&self) -> Result<Read, FilesError> {
        Ok(Read {
            set: self.set.as_deref().map(bytes).transpose()?,
            secret: self.secret_file.as_deref().map(bytes).transpose()?,
        })
    }

    /// The keys that come of it.
    pub(super) fn keys(&self, read: &Read) -> Result<Keys, FilesError> {
        let mut keys = Keys::default();
        if let (Some(path), Some(set)) = (&self.set, &read.set) {
            keys = Keys::of_set(set, &self.public).map_err(|source| FilesError::Keys {
                path: path.clone(),
                source,
            })?;
        }
        if let (Some(path), Some(secret)) = (&self.secret_file, &read.secret) {
            let path = || path.clone();
            let secret = std::str::from_utf8(secret).map_err(|_| FilesError::Secret {
                path: path(),
                allowed: "text is allowed",
            })?;
            if let Some(allowed) = TokensConfig::secret_trouble(secret.trim()) {
                return Err(FilesError::Secret {
                    path: path(),
                    allowed,
                });
            }
            keys = keys.with_secret(secret.trim());
        }
        Ok(match &self.secret {
            Some(secret) => keys.with_secret(secret.expose()),
            None => keys,
        })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, FilesError> {
    let read = |source| FilesError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(read)?;
    match bytes.len() as u64 > BYTES_MAX {
        true => Err(FilesError::TooLong {
            path: path.to_owned(),
        }),
        false => Ok(bytes),
    }
}
