//! `healthcardd check-erased`: what the database still has of a resident who was erased. No key is needed.

use std::path::PathBuf;

use clap::Args;
use service::{
    clock,
    config::Config,
    store::{Remains, ResidentId},
};

use super::Failure;

#[derive(Args)]
pub(crate) struct Erased {
    /// 居民编号 · Number of the resident.
    #[arg(value_name = "RESIDENT", value_parser = |text: &str| text.parse::<ResidentId>())]
    id: ResidentId,
    /// 数据目录 · Data directory.
    #[arg(long, value_name = "DIR", env = "HEALTHCARD_DATA")]
    data: PathBuf,
}

impl Erased {
    /// Fails for a resident on record, and where something is left of one who was erased.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let config = Config::load(&self.data)?;
        let Some(remains) = Remains::of(&config.database, self.id)? else {
            return Err("没有此居民的登记 · no such resident was ever on record here".into());
        };
        let Some((at, entry)) = remains.erased else {
            return Err("该居民仍在册，未删除 · the resident is on record, and not erased".into());
        };
        if !remains.left.is_empty() {
            let left = remains.left.iter().map(|(table, rows)| format!("{table} {rows}"));
            let left = left.collect::<Vec<_>>().join(", ");
            return Err(format!("已删除，但仍有残留 · erased, and not wholly: {left}").into());
        }
        let at = clock::rfc3339(at);
        println!("已于 {at} 删除，数据库中没有残留；日志记录 {entry}");
        println!(
            "erased at {at}, and nothing is left in the database; entry {entry} of the log says so"
        );
        Ok(())
    }
}
