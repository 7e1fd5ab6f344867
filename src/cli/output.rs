//! The only place that writes to the caller's streams: data to standard output, talk to standard error.

use std::io::{self, IsTerminal, Write};

/// Writes data. A reader that went away ends the program quietly, as `head` expects.
pub fn data(text: &str) {
    write_or_leave(&mut io::stdout().lock(), text.as_bytes());
}

/// Writes data as it is.
pub fn bytes(data: &[u8]) {
    write_or_leave(&mut io::stdout().lock(), data);
}

/// Writes data as it is; answers whether it was taken.
pub fn taken(data: &[u8]) -> bool {
    let mut stream = io::stdout().lock();
    stream.write_all(data).and_then(|()| stream.flush()).is_ok()
}

/// Writes a line of talk.
pub fn say(text: &str) {
    // Talk that nobody reads is no failure.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes bytes of a container's standard error.
pub fn error_bytes(data: &[u8]) {
    let _ = io::stderr().lock().write_all(data);
}

/// Whether data is seen by a person at once.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colour may be used for data.
pub fn data_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether colour may be used for talk.
pub fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn write_or_leave(stream: &mut impl Write, data: &[u8]) {
    let written = stream.write_all(data).and_then(|()| stream.flush());
    if written.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        std::process::exit(0);
    }
}

/// Rows as aligned columns.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", padded.collect::<Vec<_>>().join("   ").trim_end())
    };
    let body: String = rows.iter().map(|row| line(row.iter().map(String::as_str).collect())).collect();
    line(head.to_vec()) + &body
}
