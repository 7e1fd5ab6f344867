//! The command line: one file a verb. Here alone is printed, here alone are exit codes.

mod address;
mod alone;
pub mod args;
mod attach;
mod audit;
mod authorities;
pub mod complete;
mod condition;
mod config;
mod consent;
mod context;
mod daemon;
mod diff;
mod doctor;
mod down;
mod edited;
mod events;
mod exec;
mod follow;
mod ground;
mod handed;
mod host;
mod idle;
mod images;
mod init;
mod judged;
mod kept;
mod kinds;
mod lend;
mod logs;
mod loss;
mod named;
mod output;
mod pending;
mod plan;
mod progress;
mod prune;
mod ps;
mod pull;
mod reload;
mod remedy;
mod remembered;
mod render;
mod report;
mod shown;
mod sources;
mod status;
mod stop;
mod terminal;
mod top;
mod up;
mod usage;
mod wait;
mod watch;

use args::{Arguments, Command};

/// How a command that did not fail ends: the exit code.
type Code = i32;

/// Runs a command line and answers the exit code.
pub fn run(arguments: Arguments) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(dispatch(arguments));
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(crate::error::Error::failed("could not start the runtime").because(error)),
    };
    outcome.unwrap_or_else(|error| report::report(&error))
}

async fn dispatch(arguments: Arguments) -> Result<Code, crate::error::Error> {
    let file = arguments.file.as_slice();
    match arguments.command {
        Command::Up(args) => up::run(file, &args).await,
        Command::Plan(args) => plan::run(file, &args).await,
        Command::Down(args) => down::run(file, &args).await,
        Command::Prune(args) => prune::run(&args).await,
        Command::Ps(args) => ps::run(file, &args).await,
        Command::Logs(args) => logs::run(file, &args).await,
        Command::Attach(args) => attach::run(file, &args).await,
        Command::Exec(args) => exec::run(file, args).await,
        Command::Events(args) => events::run(file, &args).await,
        Command::Audit(args) => audit::run(file, &args).await,
        Command::Diff(args) => diff::run(file, &args),
        Command::Top(args) => top::run(file, &args).await,
        Command::Usage(args) => usage::run(file, &args).await,
        Command::Wait(args) => wait::run(file, &args).await,
        Command::Stop(args) => stop::stop(file, &args.sessions).await,
        Command::Start(args) => stop::start(file, &args.sessions).await,
        Command::Restart(args) => stop::restart(file, &args.sessions).await,
        Command::Pull(args) => pull::run(file, &args.sessions).await,
        Command::Init(args) => init::run(file, &args),
        Command::Validate(args) => config::validate(file, &args),
        Command::Config(args) => config::config(file, &args),
        Command::Render(args) => render::run(file, &args),
        Command::Doctor(args) => doctor::run(file, &args),
        Command::Schema => Ok(config::schema()),
        Command::Daemon(args) => daemon::run(args).await,
        Command::Completions { shell } => {
            complete::print(shell);
            Ok(0)
        }
        Command::Version => {
            output::data(&format!("clauderon {}\n", env!("CARGO_PKG_VERSION")));
            Ok(0)
        }
    }
}
