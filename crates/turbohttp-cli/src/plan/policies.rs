//! What is done about answers: redirects, retries.

use std::sync::Arc;
use std::time::Duration;

use turbohttp::limits::REDIRECTS_MAX;
use turbohttp::{RedirectAction, RedirectPolicy, RetryPolicy, StatusCode};

use crate::args::FollowArgs;
use crate::watch::Watch;

/// The longest wait before a retry, and of a Retry-After: curl's.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(600);

pub(super) fn redirect(args: &FollowArgs) -> RedirectPolicy {
    if !args.location && !args.location_trusted {
        return RedirectPolicy::none();
    }
    let policy = match u32::try_from(args.max_redirs) {
        // The first one is one too many, where a policy of none would take it for the response.
        Ok(0) => RedirectPolicy::custom(|_| RedirectAction::Refuse),
        Ok(most) => following().most(most),
        Err(_) => following().most(REDIRECTS_MAX),
    };
    // As curl: the user has named no scheme that must not be left.
    policy
        .allow_downgrade(true)
        .keep_credentials(args.location_trusted)
}

/// Follows, and has those redirects seen that have a [`Watch`].
fn following() -> RedirectPolicy {
    RedirectPolicy::custom(|redirect| {
        let response = redirect.response();
        if let Some(watch) = response.extensions().get::<Arc<Watch>>() {
            watch.redirect(response);
        }
        RedirectAction::Follow
    })
}

/// `fails_on_status` makes an error of every status from 400 on.
pub(super) fn retry(args: &FollowArgs, fails_on_status: bool) -> Option<RetryPolicy> {
    if args.retry == 0 {
        return None;
    }
    let policy = RetryPolicy::up_to(args.retry)
        .base(Duration::from_secs(1))
        .cap(RETRY_DELAY_MAX)
        .retry_after_max(RETRY_DELAY_MAX)
        .within(args.retry_max_time.filter(|time| !time.is_zero()))
        .any_method(true)
        .every_error(args.retry_all_errors)
        // The user has said how often.
        .budget_percent(100);
    let policy = match args.retry_all_errors && fails_on_status {
        true => {
            let errors = (400..=599).filter_map(|status| StatusCode::from_u16(status).ok());
            policy.statuses(errors)
        }
        false => policy,
    };
    Some(match args.retry_delay {
        Some(delay) => policy.fixed_delay(delay),
        None => policy,
    })
}
