//! Flags as `--name value`, read once and checked against the names a command knows.

use std::{collections::BTreeMap, str::FromStr};

use crate::{
    Outcome,
    contenders::{Contender, all},
};

/// The flags of one command.
#[derive(Debug, Default)]
pub struct Args(BTreeMap<String, String>);

impl Args {
    /// Reads `words`; a name outside `known` is an error.
    pub fn read(words: &[String], known: &[&str]) -> Outcome<Self> {
        let mut flags = BTreeMap::new();
        for pair in words.chunks(2) {
            let name = pair[0].strip_prefix("--").filter(|name| known.contains(name));
            let Some(name) = name else {
                return Err(format!(
                    "unknown argument `{}`; known here: --{}",
                    pair[0],
                    known.join(", --")
                )
                .into());
            };
            let value = pair.get(1).ok_or_else(|| format!("--{name} needs a value"))?;
            flags.insert(name.to_owned(), value.clone());
        }
        Ok(Self(flags))
    }

    /// The value of `--name`, if given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The number given as `--name`, or `default`.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Outcome<T> {
        self.text(name).map_or(Ok(default), |text| parse(name, text))
    }

    /// The comma-separated numbers given as `--name`, or `default`.
    pub fn numbers<T: FromStr + Clone>(&self, name: &str, default: &[T]) -> Outcome<Vec<T>> {
        let Some(text) = self.text(name) else {
            return Ok(default.to_vec());
        };
        text.split(',').map(|part| parse(name, part)).collect()
    }

    /// The contenders named by `--only`, or all; `bare` is always among them, because ratios need it.
    pub fn contenders(&self) -> Outcome<Vec<Contender>> {
        let Some(text) = self.text("only") else {
            return Ok(all());
        };
        let wanted: Vec<&str> = text.split(',').collect();
        if let Some(stranger) = wanted
            .iter()
            .find(|name| all().iter().all(|known| known.name != **name))
        {
            return Err(format!("no contender `{stranger}`; `list` names them").into());
        }
        Ok(all()
            .into_iter()
            .filter(|one| one.name == "bare" || wanted.contains(&one.name))
            .collect())
    }
}

fn parse<T: FromStr>(name: &str, text: &str) -> Outcome<T> {
    text.trim()
        .parse()
        .map_err(|_| format!("--{name}: `{text}` is not a number").into())
}
