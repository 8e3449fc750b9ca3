//! The time a step may take: over its budget it fails the run, at three times its budget it is killed.

use std::env;
use std::time::Duration;

use crate::failure::{Failure, Outcome};

/// The environment variable that stretches every budget.
const FACTOR: &str = "LARDER_BUDGET_FACTOR";

/// A step is killed at this many times its budget.
const KILLED_AT: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Budget {
    pub(crate) limit: Duration,
}

impl Budget {
    pub(crate) fn holds(self, elapsed: Duration) -> bool {
        elapsed <= self.limit
    }

    pub(crate) fn killed_at(self) -> Duration {
        self.limit * KILLED_AT
    }
}

/// What every budget is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Factor(f64);

impl Factor {
    pub(crate) fn from_env() -> Outcome<Self> {
        Self::read(env::var(FACTOR).ok().as_deref())
    }

    fn read(value: Option<&str>) -> Outcome<Self> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(Self(1.0));
        };
        match value.parse() {
            Ok(factor) if (0.01..=1000.0).contains(&factor) => Ok(Self(factor)),
            _ => Err(Failure::new(format!(
                "{FACTOR}={value} is no factor: give a number from 0.01 to 1000"
            ))),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(factor: f64) -> Self {
        Self(factor)
    }

    pub(crate) fn times(self, budget: Duration) -> Budget {
        Budget {
            limit: budget.mul_f64(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_budget_holds_to_its_limit_and_is_killed_at_three_times_that() {
        let budget = Budget { limit: SECOND };
        assert!(budget.holds(SECOND));
        assert!(!budget.holds(SECOND + Duration::from_millis(1)));
        assert_eq!(budget.killed_at(), SECOND * 3);
    }

    #[test]
    fn the_factor_stretches() {
        let factor = Factor::read(Some("2.5")).unwrap();
        assert_eq!(factor.times(SECOND * 2).limit, SECOND * 5);
        assert_eq!(Factor::read(None), Ok(Factor(1.0)));
    }

    #[test]
    fn a_factor_that_is_none_is_refused() {
        for wrong in ["zero", "0", "-1", "NaN", "inf"] {
            assert!(Factor::read(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
