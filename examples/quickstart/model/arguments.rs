//! The command line of the scripted model.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A scripted stand-in for the model providers.
#[derive(Debug, Parser)]
#[command(name = "model")]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where to write the certificate that clients have to trust (PEM)
    #[arg(long, value_name = "PATH")]
    pub ca_out: PathBuf,
    /// Where to write the `ip:port` listened on; it appears once the server answers
    #[arg(long, value_name = "PATH")]
    pub address_out: PathBuf,
    /// The script to answer from (JSON), instead of the built-in one
    #[arg(long, value_name = "PATH")]
    pub script: Option<PathBuf>,
    /// Append one JSON line here for each request
    #[arg(long, value_name = "PATH")]
    pub log: Option<PathBuf>,
}
