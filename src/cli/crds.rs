//! `amity crds`: the custom resource definitions of this version, to install or to keep in Git.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Prints the custom resource definitions, or writes them to a folder.
#[derive(Debug, clap::Args)]
pub struct Crds {
    /// Write one file for each definition into this folder, which must exist, instead of printing
    /// them all.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Why the definitions could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, or its folder.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Standard output.
    #[error("cannot print the definitions: {0}")]
    Print(#[source] io::Error),
    /// A definition that has no form in YAML.
    #[error("cannot write {file} as YAML: {source}")]
    Yaml {
        /// The file it is for.
        file: String,
        /// What the serializer says.
        source: serde_saphyr::SerializeError,
    },
}

impl Crds {
    /// Does what the arguments say.
    ///
    /// # Errors
    /// What was to be written could not be.
    pub fn run(self) -> Result<(), Error> {
        let files = files()?;
        match self.directory {
            Some(directory) => write(&files, &directory),
            None => print(&files),
        }
    }
}

/// Each definition as YAML, with the name of the file that it is kept in.
///
/// # Errors
/// A definition has no form in YAML.
pub fn files() -> Result<Vec<(String, String)>, Error> {
    amity_core::api::crds()
        .into_iter()
        .map(|(file, crd)| {
            // Folded, a difference of one word would move all that follow.
            let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
            match serde_saphyr::to_string_with_options(&crd, options) {
                Ok(yaml) => Ok((file, format!("# Written by `amity crds`.\n{yaml}"))),
                Err(source) => Err(Error::Yaml { file, source }),
            }
        })
        .collect()
}

fn write(files: &[(String, String)], directory: &Path) -> Result<(), Error> {
    for (file, yaml) in files {
        let path = directory.join(file);
        std::fs::write(&path, yaml).map_err(|source| Error::File { path, source })?;
    }
    Ok(())
}

fn print(files: &[(String, String)]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    for (_, yaml) in files {
        match write!(out, "---\n{yaml}") {
            Ok(()) => {}
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Error::Print(error)),
        }
    }
    Ok(())
}
