//! Why it was a miss, why the cache had no part, and why an answer was not kept.
