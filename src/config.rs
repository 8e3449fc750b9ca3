//! Settings from the environment, checked when the service starts.

use std::fmt;
use std::time::Duration;

use larder_cache_layer::{NamedTtl, Preset, PresetTtls};

use crate::error::Error;

/// What the environment says of a cache.
///
/// | Variable | Value | Default |
/// |---|---|---|
/// | `LARDER_ENABLED` | `true` or `false`: off, every request goes to its handler | `true` |
/// | `LARDER_MEMORY` | the bound of the memory: bytes, or with `KiB`, `MiB`, `GiB`; at least 64 KiB | `64MiB` |
/// | `LARDER_NAMESPACE` | 1 to 64 of `a-z 0-9 - _ .`: what parts this service's keys from another's in a store they share | `larder` |
/// | `LARDER_REDIS_URL` | `redis://[user:password@]host[:port][/database]`, `unix:///path`, `redis+cluster://node,…` or `redis+sentinel://sentinel,…/name`; refused by a build without the feature `redis` | none: the embedded store |
/// | `LARDER_HOT_TTL` | the lifetime of `hot_cache`: whole `ms`, `s`, `m`, `h` or `d`, more than zero | `5m` |
/// | `LARDER_USER_TTL` | the lifetime of `user_cache` | `1m` |
/// | `LARDER_PUBLIC_TTL` | the lifetime of `public_cache` | `30m` |
/// | `LARDER_STATIC_TTL` | the lifetime of `static_cache` in the cache; clients are told 1 h still | `1h` |
/// | `LARDER_SHORT_TTL` | what [`Ttl`](crate::Ttl) `short` means, of layers, hints and functions | `5m` |
/// | `LARDER_MEDIUM_TTL` | what `medium` means | `30m` |
/// | `LARDER_LONG_TTL` | what `long` means | `2h` |
/// | `LARDER_VERY_LONG_TTL` | what `very_long` means | `24h` |
///
/// A lifetime takes the place of the preset's, and gives way to [`ttl`](crate::CacheLayer::ttl) in the code and to what
/// a handler says. A variable that is not set, or empty, has its default.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whether the layers cache at all.
    pub enabled: bool,
    /// The bound of the memory, in bytes.
    pub memory_bytes: u64,
    /// What parts this service's keys from another's in a shared store.
    pub namespace: String,
    /// Where the Redis server is, if there is to be one. May hold a password.
    pub redis_url: Option<String>,
    /// The lifetimes of the presets, and those with a name.
    pub ttls: PresetTtls,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("enabled", &self.enabled)
            .field("memory_bytes", &self.memory_bytes)
            .field("namespace", &self.namespace)
            .field("redis", &self.redis_url.is_some())
            .field("ttls", &self.ttls)
            .finish()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            memory_bytes: 64 << 20,
            namespace: "larder".to_owned(),
            redis_url: None,
            ttls: PresetTtls::new(),
        }
    }
}

impl Config {
    /// Reads the variables of this process.
    ///
    /// # Errors
    /// When a variable has a value that is not allowed: the error names the variable, the value and what is allowed.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads the variables from where `lookup` finds them.
    ///
    /// ```
    /// use larder::Config;
    ///
    /// let set = |name: &str| (name == "LARDER_HOT_TTL").then(|| "soon".to_owned());
    /// assert_eq!(
    ///     Config::read(set).unwrap_err().to_string(),
    ///     "LARDER_HOT_TTL is \"soon\"; allowed is a whole number of ms, s, m, h or d above zero, such as 30s",
    /// );
    /// ```
    ///
    /// # Errors
    /// When a variable has a value that is not allowed.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut config = Self::default();
        let of = |name: &str| lookup(name).filter(|value| !value.is_empty());
        if let Some(value) = of("LARDER_ENABLED") {
            config.enabled = parsed("LARDER_ENABLED", &value, "true or false", value.parse().ok())?;
        }
        if let Some(value) = of("LARDER_MEMORY") {
            let allowed = "a whole number of bytes, KiB, MiB or GiB, at least 64KiB, such as 64MiB";
            let bytes = bytes(&value).filter(|bytes| *bytes >= 64 << 10);
            config.memory_bytes = parsed("LARDER_MEMORY", &value, allowed, bytes)?;
        }
        if let Some(value) = of("LARDER_NAMESPACE") {
            let name = Some(&value).filter(|value| is_namespace(value)).cloned();
            config.namespace = parsed(
                "LARDER_NAMESPACE",
                &value,
                "1 to 64 of a-z, 0-9, -, _ and .",
                name,
            )?;
        }
        config.redis_url = of("LARDER_REDIS_URL");
        if config.redis_url.is_some() && cfg!(not(feature = "redis")) {
            // The URL may hold a password, so it is not shown.
            return Err(Error::config(
                "LARDER_REDIS_URL is set; this build has no Redis store, so allowed is only to leave it unset, or a build \
                 with the feature `redis`"
                    .to_owned(),
            ));
        }
        for (name, preset) in [
            ("LARDER_HOT_TTL", Preset::Hot),
            ("LARDER_USER_TTL", Preset::User),
            ("LARDER_PUBLIC_TTL", Preset::Public),
            ("LARDER_STATIC_TTL", Preset::Static),
        ] {
            if let Some(value) = of(name) {
                config.ttls = config.ttls.with(preset, lifetime(name, &value)?);
            }
        }
        for (name, named) in [
            ("LARDER_SHORT_TTL", NamedTtl::Short),
            ("LARDER_MEDIUM_TTL", NamedTtl::Medium),
            ("LARDER_LONG_TTL", NamedTtl::Long),
            ("LARDER_VERY_LONG_TTL", NamedTtl::VeryLong),
        ] {
            if let Some(value) = of(name) {
                config.ttls = config.ttls.with_named(named, lifetime(name, &value)?);
            }
        }
        Ok(config)
    }
}

fn parsed<T>(name: &str, value: &str, allowed: &str, parsed: Option<T>) -> Result<T, Error> {
    parsed.ok_or_else(|| Error::config(format!("{name} is {value:?}; allowed is {allowed}")))
}

fn lifetime(name: &str, value: &str) -> Result<Duration, Error> {
    let allowed = "a whole number of ms, s, m, h or d above zero, such as 30s";
    let ttl = duration(value).filter(|ttl| !ttl.is_zero());
    parsed(name, value, allowed, ttl)
}

fn is_namespace(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    (1..=64).contains(&value.len()) && value.bytes().all(allowed)
}

/// A whole number and its unit.
fn split(value: &str) -> Option<(u64, &str)> {
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = split(value)?;
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn duration(value: &str) -> Option<Duration> {
    let (number, unit) = split(value)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, value: &'static str) -> Result<Config, String> {
        Config::read(|other| (other == name).then(|| value.to_owned())).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_is_the_default() {
        let config = Config::read(|_| None).unwrap();
        assert!(config.enabled);
        assert_eq!(config.memory_bytes, 64 << 20);
        assert_eq!(config.ttls.of(Preset::Hot), Duration::from_secs(300));
        assert!(read("LARDER_ENABLED", "").unwrap().enabled, "empty is not set");
    }

    #[test]
    fn what_is_allowed_is_taken() {
        assert!(!read("LARDER_ENABLED", "false").unwrap().enabled);
        assert_eq!(read("LARDER_MEMORY", "1GiB").unwrap().memory_bytes, 1 << 30);
        assert_eq!(read("LARDER_NAMESPACE", "shop-2").unwrap().namespace, "shop-2");
        let ttl = |value| read("LARDER_USER_TTL", value).unwrap().ttls.of(Preset::User);
        assert_eq!(ttl("1500ms"), Duration::from_millis(1500));
        assert_eq!(ttl("2h"), Duration::from_secs(7200));
        let long = read("LARDER_VERY_LONG_TTL", "7d").unwrap().ttls;
        assert_eq!(long.named(NamedTtl::VeryLong), Duration::from_secs(7 * 86_400));
        assert_eq!(long.named(NamedTtl::Long), Duration::from_secs(7200));
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_allowed() {
        for (name, value) in [
            ("LARDER_ENABLED", "yes"),
            ("LARDER_MEMORY", "1KiB"),
            ("LARDER_MEMORY", "64MB"),
            ("LARDER_MEMORY", "99999999999999GiB"),
            ("LARDER_NAMESPACE", "a b"),
            ("LARDER_HOT_TTL", "0s"),
            ("LARDER_STATIC_TTL", "-1s"),
            ("LARDER_PUBLIC_TTL", "5"),
        ] {
            let error = read(name, value).unwrap_err();
            assert!(
                error.contains(name) && error.contains(value) && error.contains("allowed is"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_url_of_the_server_is_never_shown() {
        let config = read("LARDER_REDIS_URL", "redis://:secret@host");
        let shown = match config {
            Ok(config) => {
                assert!(cfg!(feature = "redis") && config.redis_url.is_some());
                format!("{config:?}")
            }
            Err(error) => {
                assert!(
                    cfg!(not(feature = "redis")) && error.contains("LARDER_REDIS_URL"),
                    "{error}"
                );
                error
            }
        };
        assert!(!shown.contains("secret"), "{shown}");
    }
}
