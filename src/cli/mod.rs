//! The native command line.

pub mod pretrain;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trains the built-in base model from its facts and glosses.
    Pretrain(pretrain::Args),
}

/// Does what the program's arguments say.
pub fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Pretrain(args) => pretrain::run(args),
    }
}
