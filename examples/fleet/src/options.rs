//! How an instance is started.

use std::path::PathBuf;
use std::time::Duration;

/// What the command line of an instance says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `--name`: who it is, on its pages.
    pub name: String,
    /// `--truth`: the file with the versions.
    pub truth: PathBuf,
    /// What keeps its pages.
    pub backend: Backend,
    /// `--bounded-ms`: for how long it may answer from its memory without asking; otherwise it always asks.
    pub bounded: Option<Duration>,
}

/// What keeps the pages of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// `--memory`: its own memory, of which no other instance knows.
    Memory,
    /// `--redis URL`: one server.
    Redis(String),
    /// `--cluster URL,URL…`: a cluster.
    Cluster(Vec<String>),
}

impl Options {
    /// The words of a command line.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![
            "--name".to_owned(),
            self.name.clone(),
            "--truth".to_owned(),
            self.truth.display().to_string(),
        ];
        match &self.backend {
            Backend::Memory => words.push("--memory".to_owned()),
            Backend::Redis(url) => words.extend(["--redis".to_owned(), url.clone()]),
            Backend::Cluster(urls) => words.extend(["--cluster".to_owned(), urls.join(",")]),
        }
        if let Some(bound) = self.bounded {
            words.extend(["--bounded-ms".to_owned(), bound.as_millis().to_string()]);
        }
        words
    }

    /// Reads a command line.
    ///
    /// # Errors
    /// When it is not understood; the error says what is wrong with it.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let (mut name, mut truth, mut backend, mut bounded) = (None, None, None, None);
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--name" => name = Some(value()?),
                "--truth" => truth = Some(PathBuf::from(value()?)),
                "--memory" => backend = Some(Backend::Memory),
                "--redis" => backend = Some(Backend::Redis(value()?)),
                "--cluster" => {
                    let urls = value()?.split(',').map(str::to_owned).collect();
                    backend = Some(Backend::Cluster(urls));
                }
                "--bounded-ms" => {
                    let ms = value()?.parse().map_err(|e| format!("`--bounded-ms`: {e}"))?;
                    bounded = Some(Duration::from_millis(ms));
                }
                _ => return Err(format!("`{word}` is not understood")),
            }
        }
        Ok(Self {
            name: name.ok_or("`--name` is missing")?,
            truth: truth.ok_or("`--truth` is missing")?,
            backend: backend.ok_or("one of `--memory`, `--redis` and `--cluster` is missing")?,
            bounded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_they_were_written() {
        let urls = ["redis://a/", "redis://b/"].map(str::to_owned);
        let backends = [
            Backend::Memory,
            Backend::Redis(urls[0].clone()),
            Backend::Cluster(urls.to_vec()),
        ];
        for backend in backends {
            for bounded in [None, Some(Duration::from_millis(500))] {
                let options = Options {
                    name: "a".to_owned(),
                    truth: "/tmp/truth".into(),
                    backend: backend.clone(),
                    bounded,
                };
                assert_eq!(Options::read(options.words()), Ok(options));
            }
        }
        for bad in ["", "--name", "--name a --truth b", "--what"] {
            let words = bad.split_whitespace().map(str::to_owned);
            assert!(Options::read(words).is_err(), "{bad}");
        }
    }
}
