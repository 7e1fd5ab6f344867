//! Kills a program right before one of its calls to the kernel that change something: files, refs, the store, and what it
//! says to the engine and the daemon. The program knows nothing of it, so a released one has no door for it either.

use nix::libc::{self, c_long};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

/// Calls that change a file system, whatever their arguments are.
const CHANGING: &[c_long] = &[
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_ftruncate,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    // A program that it has started is at work, and goes on without it.
    libc::SYS_wait4,
    libc::SYS_waitid,
];

#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_creat,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_symlink,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Calls that write to a descriptor, which may be a file, a socket, or something of the process's own.
const WRITING: &[c_long] = &[
    libc::SYS_copy_file_range,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_sendfile,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_write,
    libc::SYS_writev,
];

/// One call: its number and the first of its arguments.
struct Call {
    number: c_long,
    arguments: [u64; 3],
}

#[cfg(target_arch = "x86_64")]
fn call(thread: Pid) -> Option<Call> {
    let seen = ptrace::getregs(thread).ok()?;
    Some(Call { number: seen.orig_rax.cast_signed(), arguments: [seen.rdi, seen.rsi, seen.rdx] })
}

#[cfg(target_arch = "aarch64")]
fn call(thread: Pid) -> Option<Call> {
    let seen = ptrace::getregs(thread).ok()?.regs;
    Some(Call { number: seen[8].cast_signed(), arguments: [seen[0], seen[1], seen[2]] })
}

impl Call {
    /// Whether something is different after it, outside the process.
    fn changes(&self, thread: Pid) -> bool {
        let making = |flags: u64| flags & u64::from((libc::O_CREAT | libc::O_TRUNC).cast_unsigned()) != 0;
        let arguments = &self.arguments;
        match self.number {
            #[cfg(target_arch = "x86_64")]
            libc::SYS_open => making(arguments[1]),
            libc::SYS_openat => making(arguments[2]),
            libc::SYS_openat2 => {
                let flags = ptrace::read(thread, arguments[2] as ptrace::AddressType);
                flags.is_ok_and(|flags| making(flags.cast_unsigned()))
            }
            libc::SYS_copy_file_range => is_outside(thread, arguments[2]),
            number if WRITING.contains(&number) => is_outside(thread, arguments[0]),
            number => CHANGING.contains(&number) || OLDER.contains(&number),
        }
    }
}

/// Whether a descriptor is a file or a socket: no pipe, no terminal, none of the kernel's own, and none of the three that
/// a person reads.
fn is_outside(thread: Pid, descriptor: u64) -> bool {
    let path = std::fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).unwrap_or_default();
    let path = path.to_string_lossy();
    descriptor > 2 && (path.starts_with("socket:") || (path.starts_with('/') && !path.starts_with("/dev/")))
}

/// How a program came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code, after so many calls.
    Code(i32, usize),
    /// By us.
    Killed,
}

/// Runs a program, whose standard input is empty, and kills it at its call of this number, counted from 0.
pub fn run(command: &Command, dies: usize) -> End {
    let leader = begin(command);
    let mut within = HashSet::new();
    let mut calls = 0;
    loop {
        // The tracees of this thread alone: others of the tests' wait for their own.
        let news = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).unwrap();
        let (thread, signal) = match news {
            WaitStatus::Exited(thread, code) if thread == leader => return End::Code(code, calls),
            WaitStatus::Signaled(thread, _, _) if thread == leader => return End::Killed,
            WaitStatus::PtraceSyscall(thread) => {
                // The way in and the way out look alike.
                let enters = within.insert(thread) || !within.remove(&thread);
                if enters && call(thread).is_some_and(|call| call.changes(thread)) {
                    if calls == dies {
                        let _ = kill(leader, Signal::SIGKILL);
                    }
                    calls += 1;
                }
                (thread, None)
            }
            WaitStatus::Exited(thread, _) => {
                within.remove(&thread);
                continue;
            }
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            WaitStatus::PtraceEvent(thread, _, _) => (thread, None),
            _ => continue,
        };
        // One that was killed meanwhile is told of by the next news.
        let _ = ptrace::syscall(thread, signal);
    }
}

/// The program, begun and held before its first call. `run` waits for it.
#[allow(clippy::zombie_processes)]
fn begin(command: &Command) -> Pid {
    let mut waiting = Command::new("sh");
    waiting.args(["-c", "read -r line; exec \"$0\" \"$@\""]).arg(command.get_program());
    waiting.args(command.get_args()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => waiting.env(name, value),
            None => waiting.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        waiting.current_dir(directory);
    }
    let mut child = waiting.spawn().unwrap();
    let leader = Pid::from_raw(i32::try_from(child.id()).unwrap());
    // Its threads, but none of the programs that it starts.
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(leader, options).unwrap();
    ptrace::interrupt(leader).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    leader
}
