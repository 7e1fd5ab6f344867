//! The command line as clap reads it: types only.

use super::complete::sessions;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Compose for AI coding agents: declarative Claude Code and Codex sessions in sealed containers.
#[derive(Debug, Parser)]
#[command(name = "clauderon", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// The manifest; repeated, each lies above the one before. Else `clauderon.yaml` here or above, up to the
    /// repository's root, and `clauderon.override.yaml` beside it
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the sessions of the manifest up, changing only what differs
    Up(Up),
    /// Remove the containers; checkouts, volumes and conversations stay
    Down(Down),
    /// Show what `up` would do, and why
    ///
    /// A line for each session: what is done, and behind each field that changed its effect: `live` holds at once,
    /// `restart` starts the agent again in its container, `recreate` replaces the container; checkout, caches and
    /// conversation stay. `keep` names what leaves the session alone, and how it is made to count. Values of
    /// `environment` are not shown.
    Plan(Plan),
    /// Show the sessions
    ///
    /// PENDING names changes that are not done yet and what they wait for: an agent that is to be idle, or the next `up`.
    #[command(alias = "list", alias = "ls")]
    Ps(Ps),
    /// Show what sessions print
    Logs(Logs),
    /// Attach to a session's terminal; ctrl-p ctrl-q leaves it running
    Attach(Attach),
    /// Run a command in a session's container; without one, bash
    Exec(Exec),
    /// Show what agents, engine and clauderon report
    Events(Events),
    /// Show the requests that sessions made, and what became of each
    ///
    /// Each line is one request or one tunnel, written when it is over: what was asked for, what was decided and why.
    /// No header, body or query is kept, and what looks like a credential in a path, a name or a reason stands there as
    /// `[redacted]`. Two files of 64 MiB are kept of all projects together; the oldest lines go first. Lines are found by
    /// the names of project and session: those of another directory's project of the same name are shown too.
    Audit(Audit),
    /// Show what a session has changed since its base
    ///
    /// The checkout as it is now, against the commit that it began at: commits, changes that are not committed, and files
    /// that git does not know, but for ignored ones. Nothing of the agent's is run or followed on the way: no filter, no
    /// hook, no link. The session need not run.
    Diff(Diff),
    /// Watch the sessions: what each agent does, since when, with which tool
    ///
    /// Keys: up and down select; `a` attaches (ctrl-p ctrl-q comes back), `l` shows the logs, `c` what was changed, `s`
    /// stops the session, `q` leaves all as it is. A `!` stands before what waits for a person or has failed.
    Top(Top),
    /// Show what sessions have asked of their models
    ///
    /// Counted are the requests that went to the agents' models, and the tokens that the providers told in their answers,
    /// over all conversations of a session. INPUT has what was written to and read from the provider's cache in it. USED is
    /// the part of the budget that is gone in this conversation or on this day. With `--format json` each session has its
    /// conversations, this day, and the parts of the input.
    Usage(Usage),
    /// Wait until a session has come to a state
    Wait(Wait),
    /// Stop sessions; `start` goes on with the conversation
    Stop(Sessions),
    /// Start stopped sessions
    Start(Sessions),
    /// Stop and start sessions
    Restart(Sessions),
    /// Bring the agents' commits into the repository now
    Pull(Sessions),
    /// Find what projects that are gone have left, and remove what is safe
    ///
    /// A project is gone once its directory or its manifest is. Found is what clauderon made for it: containers, checkouts,
    /// volumes, images, state, transcripts. Kept and listed, with the reason and a remedy, is what runs or holds work that is
    /// nowhere else (exit code 3: it waits for your decision), and volumes and transcripts unless they are asked for. Nothing
    /// is found by its name, and nothing of another user, another `CLAUDERON_HOME` or a project that is there is touched.
    Prune(Prune),
    /// Write a commented manifest for this repository
    ///
    /// Language, image and agent are those that the repository's files tell: `Cargo.toml` and its like, a devcontainer
    /// or a Dockerfile, `CLAUDE.md`, `AGENTS.md` and their like. It asks on a terminal alone. Beside the manifest it
    /// writes its schema, for editors.
    Init(Init),
    /// Check the manifest
    Validate(Validate),
    /// Print the manifest with every default filled in
    Config(Config),
    /// Print the containers that the manifest makes, as specs or as `docker run` lines
    ///
    /// Asks no engine and no daemon. What an engine alone can tell of an image (its id, `LANG`, `RUSTC_WRAPPER`) is
    /// what it told when `up` last made a container from it.
    ///
    /// A `docker run` line makes the container that `up` makes: `docker inspect` shows the same, but for names, ids,
    /// times and the order of the variables. It runs as printed once `up` has made the checkout and the files that it
    /// mounts; then the session's own container should be down, for both work in one checkout. Docker's client adds
    /// variables of its own where its config file names proxies.
    Render(Render),
    /// Look at what of this machine the sessions depend on
    Doctor(Doctor),
    /// Print the JSON schema of the manifest
    Schema,
    /// Run the daemon in the foreground, or look at it
    Daemon(Daemon),
    /// Print what a shell reads to complete commands and the names of sessions
    ///
    /// The shell then asks `clauderon` itself. Read it when the shell starts, so that it fits the program:
    ///
    /// `source <(clauderon completions bash)` in `~/.bashrc`, the same with `zsh` in `~/.zshrc` after `compinit`, and
    /// `clauderon completions fish | source` in `~/.config/fish/config.fish`
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version,
}

/// `up`.
#[derive(Args, Clone, Debug, Default)]
pub struct Up {
    /// Return once the sessions are started
    #[arg(short, long)]
    pub detach: bool,
    /// Return once every session has reported its start, or has ended well
    #[arg(long)]
    pub wait: bool,
    /// How long `--wait` waits, such as `90s` or `2m`
    #[arg(long, default_value = "2m", value_name = "TIME", value_parser = duration)]
    pub wait_timeout: std::time::Duration,
    /// Leave edits of the manifest's files alone until the next `up`
    ///
    /// Else they are watched, here or after `--detach` by the daemon. An edit that only takes away (a host, a method, a path,
    /// a credential) holds at once. All else waits for `up` and is told: here, by `ps` and by `events`. An invalid edit
    /// changes nothing.
    #[arg(long)]
    pub no_watch: bool,
    /// In the foreground, a line for each event in the place of the live view; the same where there is no terminal
    #[arg(long)]
    pub plain: bool,
    /// Replace the containers though nothing changed; an agent that works is waited for
    #[arg(long)]
    pub recreate: bool,
    /// Begin a new conversation of the named sessions, with the prompt as it is now; the old one's transcript is kept
    #[arg(long, requires = "sessions")]
    pub renew: bool,
    /// Do not wait for agents that work: what restarts or recreates ends their turn in the middle
    #[arg(long)]
    pub now: bool,
    /// How long a restart or a recreation waits for an agent that works, such as `90s` or `1h`
    ///
    /// Then `up` exits with 4 and has left that session alone. `ps` shows what is waited for.
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = duration, conflicts_with = "now")]
    pub idle_timeout: std::time::Duration,
    /// Agree to what the manifest takes from the host
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `down`.
#[derive(Args, Debug)]
pub struct Down {
    /// Remove the checkouts too; refused where something is nowhere else
    ///
    /// Of every checkout it is judged first what would be lost with it: changes that are not committed, files that git
    /// does not know, ignored files that are not clauderon's, commits and stashes that your repository does not have,
    /// repositories inside it. Where there is any of it in any of them, none is removed, all of it is listed (the first
    /// 20 of each), and the exit code is 3. Transcripts lie elsewhere and stay; see docs/cleanup.md.
    #[arg(long)]
    pub checkouts: bool,
    /// Remove the project's volumes too; with sessions named, theirs alone
    ///
    /// As with `docker compose down --volumes`, a volume that another container uses is named and stays, and one that
    /// belongs to no project (a cache with `scope: shared`, a volume that you made) is left alone. Unlike compose,
    /// volumes are found by their labels: those of sessions that have left the manifest go too, and a name that two
    /// projects could mean is no reason to remove anything.
    #[arg(long)]
    pub volumes: bool,
    /// Remove what would be lost
    #[arg(long)]
    pub force: bool,
    /// How to print what was removed
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `prune`.
#[derive(Args, Debug)]
pub struct Prune {
    /// Remove without a question
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove volumes too, with what was put into them
    #[arg(long)]
    pub volumes: bool,
    /// Remove what the agents wrote down of their conversations too
    #[arg(long)]
    pub transcripts: bool,
    /// Remove what runs too, and checkouts with all that is nowhere else
    #[arg(long)]
    pub force: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// `plan`.
#[derive(Args, Debug)]
pub struct Plan {
    /// Exit with 5 when there is something to do
    #[arg(long)]
    pub exit_code: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `ps`.
#[derive(Args, Debug)]
pub struct Ps {
    /// The sessions of every project
    #[arg(short, long)]
    pub all: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// `logs`.
#[derive(Args, Debug)]
pub struct Logs {
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines
    #[arg(long, default_value = "all", value_name = "LINES")]
    pub tail: String,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `attach`.
#[derive(Args, Debug)]
pub struct Attach {
    /// The keys that leave the session running
    #[arg(long, value_name = "KEYS")]
    pub detach_keys: Option<String>,
    /// The session
    #[arg(add = sessions())]
    pub session: String,
}

/// `exec`.
#[derive(Args, Debug)]
pub struct Exec {
    /// No terminal, though there is one
    #[arg(short = 'T', long)]
    pub no_tty: bool,
    /// The session
    #[arg(add = sessions())]
    pub session: String,
    /// The command; without one, bash
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// `events`.
#[derive(Args, Debug)]
pub struct Events {
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// The sessions of every project
    #[arg(short, long)]
    pub all: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `audit`.
#[derive(Args, Debug)]
pub struct Audit {
    /// Go on with what comes
    #[arg(short, long)]
    pub follow: bool,
    /// The sessions of every project
    #[arg(short, long)]
    pub all: bool,
    /// These alone; may be repeated
    #[arg(long = "session", value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
    /// Those alone that were refused
    #[arg(long)]
    pub denied: bool,
    /// Those to this host alone: a name, or `*.NAME` for all below it
    #[arg(long, value_name = "HOST", value_parser = host_pattern)]
    pub host: Option<String>,
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// `diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// How many lines of each file were added and removed
    #[arg(long, group = "shape")]
    pub stat: bool,
    /// The files' names alone
    #[arg(long, group = "shape")]
    pub name_only: bool,
    /// How to print; `json` is `{files: [{path, status, insertions, deletions}], insertions, deletions}`
    #[arg(long, default_value = "text", conflicts_with = "shape")]
    pub format: Format,
    /// The session; where there is but one, that
    #[arg(add = sessions())]
    pub session: Option<String>,
}

/// `top`.
#[derive(Args, Debug)]
pub struct Top {
    /// The sessions of every project
    #[arg(short, long)]
    pub all: bool,
    /// No screen, but a line for each session, and one more whenever it does something else
    ///
    /// The same where standard input or output is no terminal.
    #[arg(long)]
    pub plain: bool,
    /// Lines of what is now, and no more
    #[arg(long, requires = "plain")]
    pub once: bool,
}

/// `wait`.
#[derive(Args, Debug)]
pub struct Wait {
    /// The session
    #[arg(add = sessions())]
    pub session: String,
    /// The state
    #[arg(long = "for", value_name = "STATE")]
    pub state: WaitFor,
    /// How long, such as `90s` or `2m`; without it, for ever
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<std::time::Duration>,
}

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// The agent has finished its turn.
    Idle,
    /// The agent waits for a person.
    Waiting,
    /// The container has ended.
    Exited,
}

/// Sessions by name.
#[derive(Args, Debug)]
pub struct Sessions {
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `usage`.
#[derive(Args, Debug)]
pub struct Usage {
    /// The sessions of every project
    #[arg(short, long)]
    pub all: bool,
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// `validate`.
#[derive(Args, Debug)]
pub struct Validate {
    /// How to print what is wrong
    #[arg(long, default_value = "text")]
    pub format: ValidateFormat,
}

/// How `validate` prints what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// For people.
    Text,
    /// An array of `{severity, file, line, column, end_line, end_column, message, help, related}`.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// `init`.
#[derive(Args, Debug)]
pub struct Init {
    /// Replace the manifest that is there
    #[arg(long)]
    pub force: bool,
}

/// `config`.
#[derive(Args, Debug)]
pub struct Config {
    /// How to print
    #[arg(long, default_value = "yaml")]
    pub format: ConfigFormat,
    /// Say beside each value where it comes from
    #[arg(long, group = "lines", conflicts_with = "format")]
    pub origins: bool,
    /// Print the sessions' names, one a line
    #[arg(long, group = "lines", conflicts_with = "format")]
    pub sessions: bool,
    /// Print the images, one a line: the reference, or the name that a build gets
    #[arg(long, group = "lines", conflicts_with = "format")]
    pub images: bool,
    /// Print `SESSION HASH`, one a line: the hash in the label `clauderon.spec`
    ///
    /// It covers every field whose change recreates a container, the image by its reference. Not covered is what
    /// only the engine knows: whether the image of that reference has changed, which recreates too.
    #[arg(long, group = "lines", conflicts_with = "format")]
    pub hash: bool,
}

/// `render`.
#[derive(Args, Debug)]
pub struct Render {
    /// How to print
    #[arg(long, default_value = "spec")]
    pub format: RenderFormat,
    /// These alone
    #[arg(value_name = "SESSION", add = sessions())]
    pub sessions: Vec<String>,
}

/// How `render` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RenderFormat {
    /// The specs as JSON, in words that are no engine's.
    Spec,
    /// A `docker run` command for each session.
    Docker,
}

/// How `config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// As a manifest.
    Yaml,
    /// As JSON.
    Json,
}

/// `doctor`.
#[derive(Args, Debug)]
pub struct Doctor {
    /// How to print
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// `daemon`.
#[derive(Args, Debug)]
pub struct Daemon {
    /// Serve hooks on this port of 127.0.0.1 too
    #[arg(long, value_name = "PORT")]
    pub http_port: Option<u16>,
    /// Leave the caller's session
    #[arg(long, hide = true)]
    pub detached: bool,
    /// Look at it, or stop it
    #[command(subcommand)]
    pub command: Option<DaemonCommand>,
}

/// What is done with a running daemon.
#[derive(Debug, Subcommand)]
pub enum DaemonCommand {
    /// Show the running daemon
    Status,
    /// Stop the running daemon; sessions go on and their events wait
    Stop,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// Stable, for programs.
    Json,
}

/// The longest time that a command waits.
const LONGEST: std::time::Duration = std::time::Duration::from_hours(10 * 366 * 24);

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "a time such as `90s` or `2m`".to_owned())?;
    let time: std::time::Duration =
        parsed.try_into().map_err(|_| "a time that is not negative".to_owned())?;
    // No clock counts further than some time; what waits for so long waits for ever.
    if time > LONGEST { Err("a time of at most 10 years".to_owned()) } else { Ok(time) }
}

/// A host as the log has it: in lower case, without a dot at its end or brackets around it.
fn host_pattern(text: &str) -> Result<String, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let name = bare.strip_prefix("*.").unwrap_or(&bare);
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
    if name.is_empty() || !name.chars().all(allowed) {
        return Err("a name such as `api.example.com`, or `*.example.com` for all below it".to_owned());
    }
    Ok(bare)
}
