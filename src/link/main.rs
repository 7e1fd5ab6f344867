//! The link: what runs inside a sealed container. It carries connections from fixed ports of 127.0.0.1 to the one
//! Unix socket that leads out, posts hook events, and becomes the agent. It knows nothing else of the program.

mod carry;
mod hook;
mod json;
mod run;

/// The exit code of a link that could not do its work.
const FAILED: i32 = 111;

/// The socket that leads out.
fn socket() -> String {
    std::env::var("CLAUDERON_LINK_SOCKET").unwrap_or_else(|_| "/run/clauderon/link.sock".to_owned())
}

fn main() {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.into_string().unwrap_or_else(|bad| bad.to_string_lossy().into_owned()))
        .collect();
    let (verb, rest) = match arguments.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("", &arguments[..]),
    };
    let outcome = match verb {
        "run" => run::run(rest),
        "detach" => run::detach(rest),
        "supervise" => run::supervise(rest),
        "carry" => carry::carry(rest),
        // An agent is never disturbed by a hook that failed.
        "hook" => {
            if let Err(message) = hook::hook(rest) {
                eprintln!("clauderon: {message}");
            }
            Ok(())
        }
        "version" => {
            println!("link {}", std::env::consts::ARCH);
            Ok(())
        }
        _ => Err("usage: link run [--bind NAME=PORT]… -- PROGRAM…".to_owned()),
    };
    if let Err(message) = outcome {
        eprintln!("clauderon: {message}");
        std::process::exit(FAILED);
    }
}
