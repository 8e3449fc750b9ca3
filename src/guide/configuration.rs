//! Which variables of the environment count.
//!
//! [`Larder::from_env`](crate::Larder::from_env) reads them once, when it is called. A value that is not allowed is an
//! error that names the variable, the value, and what is allowed; let the service end with it at its start.
//!
//! | Variable | Value | Default | Is |
//! |---|---|---|---|
//! | `LARDER_ENABLED` | `true`, `false` | `true` | [`set_enabled`](crate::Larder::set_enabled): off, every request goes to its handler |
//! | `LARDER_MEMORY` | bytes, or with `KiB`, `MiB`, `GiB`; at least `64KiB` | `64MiB` | the bound of the memory |
//! | `LARDER_HOT_TTL` | a whole number of `ms`, `s`, `m`, `h` or `d`, above zero | `5m` | the lifetime of [`hot_cache`](super::presets) |
//! | `LARDER_USER_TTL` | the same | `1m` | the lifetime of `user_cache` |
//! | `LARDER_PUBLIC_TTL` | the same | `30m` | the lifetime of `public_cache` |
//! | `LARDER_STATIC_TTL` | the same | `1h` | the lifetime of `static_cache` here; clients are told an hour still |
//! | `LARDER_SHORT_TTL` | the same | `5m` | what the lifetime `short` means, of a layer or a [function](super::functions) |
//! | `LARDER_MEDIUM_TTL` | the same | `30m` | what `medium` means |
//! | `LARDER_LONG_TTL` | the same | `2h` | what `long` means |
//! | `LARDER_VERY_LONG_TTL` | the same | `24h` | what `very_long` means |
//! | `LARDER_NAMESPACE` | 1 to 64 of `a-z 0-9 - _ .` | `larder` | what the names of this service's keys on a Redis server begin with; without effect on the embedded store |
//! | `LARDER_REDIS_URL` | `redis://[user:password@]host[:port][/database]`, `unix:///path`, `redis+cluster://[user:password@]node[:port],…`, `redis+sentinel://[user:password@]sentinel[:port],…/name[/database]`; with the feature `redis-tls` also `rediss` | none | where the Redis server is, the Cluster, or the Sentinels and what they call the primary; `LARDER_MEMORY` is then the bound of the bodies in memory before it. Refused by a build without the feature `redis` |
//!
//! A variable that is empty is not set. A lifetime takes the place of the preset's and gives way to
//! [`ttl`](crate::CacheLayer::ttl) in the code, and that to what the handler says. There is no variable for `cache`,
//! the plain layer.
//!
//! Other sources than the environment go through [`Config`](crate::Config):
//!
//! ```
//! use std::collections::HashMap;
//! use std::time::Duration;
//! use larder::{Config, Larder, Preset};
//!
//! let file = HashMap::from([("LARDER_MEMORY", "256MiB"), ("LARDER_HOT_TTL", "30s")]);
//! let config = Config::read(|name| file.get(name).map(|value| value.to_string()))?;
//! assert_eq!(config.ttls.of(Preset::Hot), Duration::from_secs(30));
//! let larder = Larder::from_config(&config)?;
//! # let _ = larder;
//! # Ok::<(), larder::Error>(())
//! ```
//!
//! The memory counts bodies, headers, keys, tags and bookkeeping. One entry may take at most half of a bound below
//! 16 MiB; above, the most is 4 MiB or more. A larger one is not kept (`detail=too_large`).
