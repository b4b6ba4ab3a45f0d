//! T-14: numbers are short, unique in their organisation and rising.

use callboard_kernel::OrganisationId;
use callboard_tickets::store::Numbers;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::*;

#[test]
fn t_14_numbers_are_unique_and_rise_over_replicas() {
    run(|world| async move {
        let (organisation, other) = (OrganisationId(id()), OrganisationId(id()));
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        let replicas = [0, 1].map(|_| Numbers::new(&world.pool, &tracker, stop.clone()));
        let mut all = Vec::new();
        for round in 0..20 {
            let highest = all.last().copied().unwrap_or(0);
            let asked = (0..10).map(|n| replicas[(round + n) % 2].next(organisation));
            let mut numbers: Vec<i64> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
            numbers.sort_unstable();
            assert!(numbers[0] > highest, "what is asked for later is higher");
            all.extend(numbers);
        }
        assert_eq!(all, (1..=200).collect::<Vec<i64>>(), "each once, and short");
        assert_eq!(replicas[0].next(other).await, Ok(1), "each organisation has its own");
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        assert!(replicas[0].next(other).await.is_err());
    });
}

#[test]
fn t_14_tickets_opened_at_once_have_numbers_of_their_own() {
    run(|world| async move {
        let tenant = Tenant::new(world).await;
        let caller = tenant.moderator();
        let created = (0..40).map(|n| caller.create(tenant.plain(&format!("t{n}"), true)));
        let created = join_all(created.collect::<Vec<_>>()).await;
        let mut numbers: Vec<i64> = created.into_iter().map(|ticket| ticket.unwrap().number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<i64>>());
    });
}
