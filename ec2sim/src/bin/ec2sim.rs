//! `ec2sim`: Amazon EC2 on a port, as far as machine images go.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;
use ec2sim::{FastClock, Front, Policy, World, serve};
use tokio::net::TcpListener;

/// Amazon EC2 on a port, as far as machine images go. Signatures and secrets are not checked: an
/// access key id says which account calls, and the region is that of the signature.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one. The address is printed on standard output.
    #[arg(long, env = "EC2SIM_LISTEN", default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// How many times faster than real time the clock runs.
    #[arg(long, env = "EC2SIM_SPEED", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// The world to begin with, as YAML. Without one: the documented example.
    #[arg(long, env = "EC2SIM_WORLD")]
    world: Option<PathBuf>,
    /// Where all chance comes from, instead of the seed of the world file.
    #[arg(long, env = "EC2SIM_SEED")]
    seed: Option<u64>,
    /// A policy file for an access key or for a role, by its ARN. Repeat it for more. They
    /// replace what the world file gives to WHO.
    #[arg(long = "policy", value_name = "WHO=FILE", value_parser = assignment)]
    policies: Vec<(String, PathBuf)>,
    /// A file with a service control policy for an account. Repeat it for more.
    #[arg(long = "service-control-policy", value_name = "ACCOUNT=FILE", value_parser = assignment)]
    service_control_policies: Vec<(String, PathBuf)>,
    /// Print the bare address, HOST:PORT, instead of the endpoint URL.
    #[arg(long)]
    print_address: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.001..=1_000_000.0).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.001 to 1000000".to_owned()),
    }
}

fn assignment(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((who, file)) if !who.is_empty() && !file.is_empty() => {
            Ok((who.to_owned(), PathBuf::from(file)))
        }
        _ => Err("write WHO=FILE".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ec2sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let world = match &arguments.world {
        None => World::example()?,
        Some(path) => {
            let named = |error: &dyn std::error::Error| format!("{}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
            World::from_yaml(&text).map_err(|error| named(&error))?
        }
    };
    let world = match arguments.seed {
        Some(seed) => world.with_seed(seed),
        None => world,
    };
    let mut world = world;
    for (who, files) in grouped(&arguments.policies)? {
        world.set_policies(&who, files)?;
    }
    for (account, files) in grouped(&arguments.service_control_policies)? {
        world.set_service_control_policies(&account, files)?;
    }
    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    let address = listener.local_addr()?;
    let scheme = if arguments.print_address {
        ""
    } else {
        "http://"
    };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{scheme}{address}")?;
    stdout.flush()?;
    serve(
        listener,
        Front::new(Arc::new(Mutex::new(world))),
        FastClock::start(arguments.speed),
    )
    .await?;
    Ok(())
}

/// The policies of each, read from their files and called by their names.
fn grouped(
    files: &[(String, PathBuf)],
) -> Result<BTreeMap<String, Vec<Policy>>, Box<dyn std::error::Error>> {
    let mut grouped: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
    for (who, path) in files {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let policy = Policy::parse(&path.display().to_string(), &text)?;
        grouped.entry(who.clone()).or_default().push(policy);
    }
    Ok(grouped)
}
