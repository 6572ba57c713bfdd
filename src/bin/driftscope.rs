use clap::{Parser, Subcommand};
use driftscope::cli;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trains the built-in base model from its facts and glosses.
    Pretrain(cli::pretrain::Args),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Pretrain(args) => cli::pretrain::run(args),
    }
}
