//! The soak: random trees under load with faults, for as long as one likes. The program stands in `benches/soak`.

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// For how many minutes; parts of one count.
    #[arg(long, value_name = "N", default_value = "1")]
    minutes: String,
    /// What all chances are drawn from; another one each time unless it is given.
    #[arg(long)]
    seed: Option<u64>,
}

/// Builds it as it ships, and runs it; fails on any breach.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut program = process::cargo();
    program.args(["run", "--release", "--quiet", "--package", "soak", "--", "--minutes", &options.minutes]);
    program.args(options.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    process::run(&mut program)
}
