//! The restart policy: whether a container that ended is started again, and when (docker's rules and its back-off).

use super::options::{Policy, Restart};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// A program that ran for so long has not failed at once: the waiting begins anew.
const SETTLED: Duration = Duration::from_secs(10);

/// How long to wait, and how often it was in vain.
#[derive(Debug, Default)]
pub struct BackOff {
    last: Option<Duration>,
    /// Restarts in a row, for `on-failure:N`.
    in_a_row: u32,
}

impl BackOff {
    /// A life ended: the time to wait before the next, or `None` if this was the last.
    pub fn next(&mut self, rule: &Restart, code: u8, stopped: bool, ran: Duration) -> Option<Duration> {
        if ran >= SETTLED {
            *self = BackOff::default();
        }
        let goes_on = match rule.policy {
            _ if stopped => false,
            Policy::No => false,
            Policy::OnFailure => {
                code != 0 && rule.retries.filter(|most| *most > 0).is_none_or(|most| self.in_a_row < most)
            }
            Policy::Always | Policy::UnlessStopped => true,
        };
        if !goes_on {
            return None;
        }
        self.in_a_row += 1;
        let wait = self.last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.last = Some(wait);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(5);

    fn rule(policy: Policy, retries: Option<u32>) -> Restart {
        Restart { policy, retries }
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let (mut back_off, always) = (BackOff::default(), rule(Policy::Always, None));
        let waits: Vec<u128> =
            (0..12).filter_map(|_| back_off.next(&always, 0, false, SHORT)).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    }

    #[test]
    fn ten_seconds_of_running_begin_anew() {
        let (mut back_off, always) = (BackOff::default(), rule(Policy::UnlessStopped, None));
        for _ in 0..5 {
            back_off.next(&always, 1, false, SHORT);
        }
        assert_eq!(back_off.next(&always, 1, false, SETTLED), Some(FIRST));
    }

    #[test]
    fn on_failure_counts() {
        let (mut back_off, twice) = (BackOff::default(), rule(Policy::OnFailure, Some(2)));
        assert_eq!(back_off.next(&twice, 0, false, SHORT), None);
        assert!(back_off.next(&twice, 1, false, SHORT).is_some());
        assert!(back_off.next(&twice, 1, false, SHORT).is_some());
        assert_eq!(back_off.next(&twice, 1, false, SHORT), None);
        let any = rule(Policy::OnFailure, Some(0));
        assert!((0..50).all(|_| back_off.next(&any, 1, false, SHORT).is_some()));
    }

    #[test]
    fn no_policy_goes_on_after_a_user_has_stopped_it() {
        for policy in [Policy::No, Policy::OnFailure, Policy::Always, Policy::UnlessStopped] {
            assert_eq!(BackOff::default().next(&rule(policy, None), 1, true, SHORT), None);
        }
        assert_eq!(BackOff::default().next(&rule(Policy::No, None), 1, false, SHORT), None);
    }
}
