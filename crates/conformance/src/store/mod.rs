//! The suite of the port `Store`. An adapter runs all of it with one line:
//! `aegis_conformance::store_suite!(MyHome::new());`

pub mod cases;
pub mod draft;
mod faulty;
mod integrity;
pub mod random;

use std::sync::Arc;

use aegis_model::port::Store;

pub use faulty::{Fault, FaultyStore};
pub use integrity::TestIntegrity;

/// An empty place in which a store lives. Made anew for every case.
pub trait Home: Send + Sync {
    /// Opens the store. Called again only after the store that it gave before was dropped;
    /// the new one must then hold everything that was acknowledged.
    fn open(&self) -> Arc<dyn Store>;
}

/// One test per case of the suite. The argument makes a new [`store::Home`](crate::store::Home).
#[macro_export]
macro_rules! store_suite {
    ($make:expr) => {
        $crate::store_suite! { @cases $make;
            batches::an_empty_call_answers_nothing,
            batches::a_failed_batch_changes_nothing,
            batches::a_failed_batch_spoils_no_other,
            batches::batches_of_one_call_see_each_other_in_order,
            batches::concurrent_callers_each_get_their_own_results,
            batches::what_was_acknowledged_survives_reopening,
            batches::a_clock_that_goes_backwards_loses_nothing,
            batches::the_store_answers_when_it_works,
            batches::unacceptable_batches_are_refused,
            batches::the_largest_acceptable_texts_are_kept,
            counts::a_count_begins_at_nothing_and_adds_up,
            counts::many_that_count_at_once_lose_nothing,
            counts::a_refused_batch_counts_nothing,
            counts::a_count_holds_at_the_ends_of_the_numbers,
            counts::a_final_document_is_not_counted_on,
            counts::what_is_no_number_was_altered,
            counts::a_number_is_found_by_what_it_was_made_with,
            counts::what_was_read_before_is_not_read_after,
            counts::unacceptable_counts_are_refused,
            counts::what_was_counted_survives_reopening,
            documents::versions_count_from_one,
            documents::an_expectation_that_fails_is_a_conflict,
            documents::a_requirement_changes_nothing,
            documents::a_final_document_never_changes,
            documents::a_deleted_document_is_gone_and_starts_anew,
            documents::tenants_and_kinds_do_not_mix,
            documents::pages_follow_the_byte_order_of_ids,
            documents::lists_by_index_follow_every_change,
            documents::an_undeclared_index_is_refused,
            documents::of_many_writers_with_the_same_expectation_one_wins,
            events::sequences_grow_in_the_order_of_batches,
            events::a_tail_sees_one_tenant_and_one_stream,
            events::a_sequence_is_never_reused,
            ledger::positions_have_no_holes,
            ledger::heads_grow_as_the_tree_rules_say,
            ledger::a_failed_batch_leaves_the_head_alone,
            ledger::kept_nodes_are_there_when_complete,
            ledger::a_tree_goes_on_growing_after_reopening,
            work::due_work_is_claimed_oldest_first,
            work::held_work_is_not_claimed_until_its_time_is_over,
            work::a_claim_by_somebody_else_ends_a_hold,
            work::a_hold_survives_its_time_while_nobody_claims,
            work::renewing_keeps_others_away,
            work::released_work_can_be_claimed_again,
            work::an_epoch_is_never_given_twice,
            work::work_is_unique_in_its_queue,
            work::a_lost_lease_undoes_its_batch,
            work::concurrent_claims_share_no_work,
        }

        #[test]
        fn random_batches_agree_with_a_plain_model() {
            $crate::store::random::agree(|| Box::new($make));
        }
    };
    (@cases $make:expr; $($group:ident :: $case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let home = $make;
                $crate::store::cases::$group::$case(&home).await;
            }
        )*
    };
}
