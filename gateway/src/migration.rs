//! The gateway's own tables, as steps that are each applied once. A step is never edited after a release: what comes
//! later is a step of its own.

mod m0001_settings;
mod m0002_log;
mod m0003_analysis;
mod m0004_differences;
mod m0005_noise;
mod m0006_noise_sightings;

use sea_orm_migration::prelude::*;

/// Brings the gateway's store up to date.
#[derive(Debug)]
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_settings::CreateTables),
            Box::new(m0002_log::CreateLog),
            Box::new(m0003_analysis::CreateAnalyses),
            Box::new(m0004_differences::CreateDifferences),
            Box::new(m0005_noise::CreateNoise),
            Box::new(m0006_noise_sightings::CreateNoiseSightings),
        ]
    }
}
