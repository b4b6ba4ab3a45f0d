//! How much anybody may ask: a token bucket for each logged-in caller and for each address without a valid token.
//!
//! The limits hold in each gateway process for itself. `RateLimit` and `RateLimit-Policy` follow
//! draft-ietf-httpapi-ratelimit-headers.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use callboard_kernel::{Actor, OrganisationId};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::RateSettings;
use crate::problem::Problem;

/// Whose bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A logged-in caller.
    Principal(OrganisationId, Actor),
    /// An address; of IPv6 the first 64 bits, which is what one customer of a provider gets.
    Address(IpAddr),
}

impl Key {
    /// The bucket of an address.
    pub fn address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Address(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
            address @ IpAddr::V4(_) => Self::Address(address),
        }
    }
}

type Bucket = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

#[derive(Debug)]
struct Limit {
    name: &'static str,
    per_minute: u32,
    bucket: Bucket,
}

/// The buckets.
#[derive(Debug)]
pub struct Limits {
    principals: Option<Limit>,
    addresses: Option<Limit>,
}

/// What a request may still ask for.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    name: &'static str,
    per_minute: u32,
    remaining: u32,
    reset: Duration,
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Limits {
    /// Full buckets.
    pub fn new(settings: &RateSettings) -> Self {
        let limit = |name, per_minute| {
            let burst = NonZeroU32::new(per_minute)?;
            let bucket = RateLimiter::keyed(Quota::per_minute(burst)).with_middleware();
            Some(Limit { name, per_minute, bucket })
        };
        Self {
            principals: limit("principal", settings.per_principal),
            addresses: limit("address", settings.per_address),
        }
    }

    /// Takes one request out of the bucket. `Ok(None)`: no limit is set.
    ///
    /// # Errors
    /// When the bucket is empty, with the time until the next request fits.
    pub fn take(&self, key: Key) -> Result<Option<Allowance>, (Allowance, Box<Problem>)> {
        let limit = match key {
            Key::Principal(..) => self.principals.as_ref(),
            Key::Address(_) => self.addresses.as_ref(),
        };
        let Some(limit) = limit else { return Ok(None) };
        let allowance =
            |remaining, reset| Allowance { name: limit.name, per_minute: limit.per_minute, remaining, reset };
        match limit.bucket.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let missing = limit.per_minute.saturating_sub(remaining);
                let full_again = Duration::from_secs(60) * missing / limit.per_minute.max(1);
                Ok(Some(allowance(remaining, full_again)))
            }
            Err(refused) => {
                metrics::counter!("callboard_gateway_rate_limited_total", "limit" => limit.name).increment(1);
                let wait = refused.wait_time_from(DefaultClock::default().now());
                let mut problem = Problem::new(
                    http::StatusCode::TOO_MANY_REQUESTS,
                    "RATE_LIMITED",
                    format!("at most {} requests a minute", limit.per_minute),
                );
                problem.retry_after = Some(wait);
                Err((allowance(0, wait), Box::new(problem)))
            }
        }
    }

    /// Forgets the buckets that are full anyway. Called now and then.
    pub fn sweep(&self) {
        for limit in [&self.principals, &self.addresses].into_iter().flatten() {
            limit.bucket.retain_recent();
            limit.bucket.shrink_to_fit();
        }
    }
}

impl Allowance {
    /// Tells the caller.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let seconds = self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0);
        let now = format!("\"{}\";r={};t={seconds}", self.name, self.remaining);
        let policy = format!("\"{}\";q={};w=60", self.name, self.per_minute);
        for (name, value) in [(RATE_LIMIT, now), (RATE_LIMIT_POLICY, policy)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}
