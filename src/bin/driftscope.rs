//! The native command line over the library that the page uses too.

#[cfg(not(target_arch = "wasm32"))]
mod native {
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
        /// Runs an experiment and writes its record.
        Run(cli::run::Args),
    }

    pub fn main() -> anyhow::Result<()> {
        match Arguments::parse().command {
            Command::Pretrain(args) => cli::pretrain::run(args),
            Command::Run(args) => cli::run::run(args),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> anyhow::Result<()> {
    native::main()
}

/// The command line is native; the browser runs `worker`.
#[cfg(target_arch = "wasm32")]
fn main() {}
