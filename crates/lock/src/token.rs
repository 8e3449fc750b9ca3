//! Who holds a lock, and the ballot that makes its fencing token.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many low bits of a token tell clients apart that propose in the same microsecond.
const CLIENT_BITS: u32 = 10;

/// A number that orders the holders of a lock: who gets the lock later has the greater token.
///
/// Pass it along with every write to what the lock protects, and let that refuse a token lower than the highest it has
/// seen. Only then is a holder harmless that was paused for longer than its lease.
///
/// A token is a ballot: microseconds of the client's wall clock since 1970, shifted left by ten bits, with random bits
/// of the client below. It fits a signed 64-bit integer (`BIGINT`) until the year 2255. A node grants a ballot only above
/// all that it has granted, so that tokens order holders whatever the clocks say, as long as a majority of nodes remembers;
/// when nodes forget, it takes clocks that are apart by less than the quarantine of a node that has forgotten (see
/// [the crate's documentation](crate#fencing)).
///
/// [`FencingToken::UNFENCED`] is lower than every token that was ever granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(u64);

impl FencingToken {
    /// The token of a run that holds no lock ([`OnUnavailable::RunUnlocked`](crate::OnUnavailable::RunUnlocked)). A
    /// resource that has seen a holder's token refuses it.
    pub const UNFENCED: Self = Self(0);

    /// The greatest token.
    const MAX: u64 = i64::MAX as u64;

    /// The token with this number; what is above 2^63 − 1 counts as that.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(if number > Self::MAX { Self::MAX } else { number })
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The number for a `BIGINT`. Never negative.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0 as i64
    }

    /// The time in it: since the Unix epoch, by the clock of the client that proposed it.
    #[must_use]
    pub const fn proposed_at(self) -> Duration {
        Duration::from_micros(self.0 >> CLIENT_BITS)
    }

    /// What a token was that was proposed an hour before.
    #[cfg(feature = "redis")]
    pub(crate) const fn an_hour_before(self) -> Self {
        Self(self.0.saturating_sub(3_600_000_000 << CLIENT_BITS))
    }

    fn at(wall: Duration, client: u64) -> Self {
        let micros = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        let shifted = micros.min(Self::MAX >> CLIENT_BITS) << CLIENT_BITS;
        Self(shifted | (client & ((1 << CLIENT_BITS) - 1)))
    }

    const fn next(self) -> Self {
        Self::from_u64(self.0.saturating_add(1))
    }
}

/// How many digits a token has in a script.
#[cfg(feature = "redis")]
pub(crate) const TOKEN_DIGITS: usize = 19;

#[cfg(feature = "redis")]
impl FencingToken {
    /// The number in decimal, with zeros before it: as text it compares like a number.
    pub(crate) fn digits(self) -> [u8; TOKEN_DIGITS] {
        let (mut digits, mut rest) = ([b'0'; TOKEN_DIGITS], self.0);
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        digits
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who asks for a lock: 160 random bits, new for every acquisition. Only who knows them releases or extends the lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner([u8; 20]);

impl Owner {
    /// The owner with these bytes. They have to be unique: take them from a source of randomness.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The owner who is written as [`Display`](fmt::Display) writes owners. What else stands in a lock's key was put there
    /// by somebody else, who has no name.
    #[cfg(feature = "redis")]
    pub(crate) fn parse(digits: &str) -> Self {
        let mut bytes = [0; 20];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let pair = digits.get(2 * index..2 * index + 2);
            *byte = pair
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .unwrap_or(0);
        }
        Self(bytes)
    }

    /// What [`Display`](fmt::Display) writes.
    #[cfg(feature = "redis")]
    pub(crate) fn digits(&self) -> [u8; 40] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 40];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        digits
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Owner {
    /// Forty hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Owner {
    /// The first digits: enough to tell owners apart in a log, too few to release their locks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Owner({:02x}{:02x}{:02x}{:02x}…)",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}

/// Who waits for a lock at nodes: a [`Locker`](crate::Locker), for all who wait there. A node names the first that it knows of
/// when the lock becomes free, so that not all ask at once. Only a hint: whoever asks first gets the vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiter(u64);

impl Waiter {
    /// The waiter with this number, which should be unique.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The waiter who is written as [`Display`](fmt::Display) writes waiters.
    #[cfg(feature = "redis")]
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for Waiter {
    /// Sixteen hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Makes the ballots of one client, each above the last.
#[derive(Debug)]
pub(crate) struct Ballots {
    client: u64,
    last: AtomicU64,
}

impl Ballots {
    pub(crate) const fn new(client: u64) -> Self {
        Self {
            client,
            last: AtomicU64::new(0),
        }
    }

    /// A ballot for now, above `above` and above all that this client proposed before.
    pub(crate) fn propose(&self, wall: Duration, above: FencingToken) -> FencingToken {
        let wanted = FencingToken::at(wall, self.client).max(above.next());
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            let next = wanted.max(FencingToken(last).next());
            // Relaxed: the numbers alone matter, they publish nothing.
            match self
                .last
                .compare_exchange_weak(last, next.0, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return next,
                Err(actual) => last = actual,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballots_follow_the_clock_and_never_go_back() {
        let ballots = Ballots::new(5);
        let second = Duration::from_secs(1);
        let first = ballots.propose(second, FencingToken::UNFENCED);
        assert_eq!(first.proposed_at(), second);
        assert!(ballots.propose(Duration::ZERO, FencingToken::UNFENCED) > first);
        assert!(ballots.propose(second * 2, FencingToken::UNFENCED).proposed_at() == second * 2);
    }

    #[test]
    fn a_ballot_is_above_what_a_node_has_stored() {
        let stored = FencingToken::from_u64(77 << CLIENT_BITS);
        assert!(Ballots::new(0).propose(Duration::ZERO, stored) > stored);
    }

    #[cfg(feature = "redis")]
    #[test]
    fn what_scripts_read_is_what_display_writes() {
        for number in [0, 7, 1 << 60, i64::MAX as u64] {
            let token = FencingToken::from_u64(number);
            assert_eq!(token.digits().as_slice(), format!("{token:0>19}").as_bytes());
            let waiter = Waiter::from_u64(number);
            assert_eq!(Waiter::parse(&waiter.to_string()), Some(waiter));
        }
        let owner = Owner::from_bytes(std::array::from_fn(|index| index as u8 * 13));
        assert_eq!(owner.digits().as_slice(), owner.to_string().as_bytes());
        assert_eq!(Owner::parse(&owner.to_string()), owner);
    }

    #[test]
    fn a_token_fits_a_bigint() {
        assert_eq!(FencingToken::from_u64(u64::MAX).as_i64(), i64::MAX);
        assert!(FencingToken::at(Duration::MAX, u64::MAX).as_i64() > 0);
        let in_2250 = Duration::from_secs(280 * 31_556_952);
        assert_eq!(FencingToken::at(in_2250, 0).proposed_at(), in_2250);
    }
}
