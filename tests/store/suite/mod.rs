//! One function for each promise of `trait Store`. Each is given a way to open one fresh store again and again, as
//! other instances and processes do.

use std::sync::Arc;

use multipop::model::*;
use multipop::secret::{KeyBytes, Secret};
use multipop::store::*;

pub mod accounts;
pub mod breakers;
pub mod configuration;
pub mod consents;
pub mod erasure;
pub mod grants;
pub mod history;
pub mod leases;
pub mod ledger;
pub mod links;
pub mod notices;
pub mod passwords;

pub type Open<'a> = &'a dyn Fn() -> Arc<dyn Store>;

/// Runs every promise through `$run`, which hands it an opener of a fresh store.
macro_rules! every_promise {
    ($run:path) => {
        every_promise! { $run =>
            accounts:
                a_put_account_is_there_for_every_instance
                an_account_of_another_owner_is_refused_as_if_it_were_none
                an_owner_stays_in_his_realm
                no_owner_has_more_accounts_than_the_cap
                another_mailbox_begins_a_new_generation
                another_signer_voids_both_grants_and_consents_under_way
                the_same_put_again_changes_nothing
                a_put_is_due_now_and_keeps_the_pause
                a_stricter_policy_holds_for_later_mail_only
                removal_leaves_nothing_and_numbers_never_come_again
                listing_follows_the_query_in_one_order
                pages_bring_every_account_once_whatever_comes_and_goes
                due_accounts_come_soonest_first
                regardless_ignores_the_interval_only
                states_change_without_losing_each_other;
            breakers:
                a_breaker_is_the_same_for_every_instance;
            configuration:
                i12_a_refused_apply_changes_nothing
                an_unchanged_configuration_keeps_its_number
                a_replaced_configuration_changes_nothing
                accounts_named_no_more_are_disabled_and_come_back
                no_member_accounts_leaves_them_alone
                one_set_of_ids_for_configuration_and_calls
                an_owner_moves_realms_with_all_his_accounts
                a_configured_account_given_to_another_owner_starts_anew;
            erasure:
                everything_of_an_owner_or_a_realm_goes
                accounts_of_the_configuration_keep_all_others
                a_realm_of_many_goes_in_steps
                what_was_known_before_reaches_no_later_account
                tokens_of_an_erased_account_are_given_back_for_a_week
                living_grants_are_found_by_the_person_who_gave_them
                consents_are_told_without_what_is_secret;
            grants:
                a_grant_comes_back_whole
                i10_grant_version_loses_no_grant
                an_emptied_slot_never_takes_an_old_version
                confirming_moves_the_pending_grant;
            passwords:
                a_password_stays_until_another_comes
                a_password_is_for_one_server_user_and_owner
                a_configured_password_goes_with_its_configuration;
            consents:
                i11_a_consent_is_taken_once
                i11_a_strangers_session_consumes_nothing
                i11_a_device_s_code_is_put_back_until_it_is_answered
                an_expired_consent_is_not_taken
                the_answer_is_remembered_for_a_quarter_of_an_hour
                removal_of_the_account_ends_its_consents;
            history:
                what_changes_a_row_is_told_with_it
                a_lost_fence_tells_nothing
                a_hundred_passes_are_kept_of_each_account
                a_visit_that_came_to_no_end_is_noted_by_the_next
                thirty_days_are_kept_of_what_happened
                so_many_happenings_are_kept_and_no_more
                a_trace_is_on_for_every_instance_until_its_time
                a_trace_is_a_bounded_ring
                the_history_goes_with_its_account_and_its_owner;
            links:
                i11_a_link_is_redeemed_once
                i11_a_wrong_owner_or_token_uses_nothing_up
                a_link_ends_with_its_time_or_the_next_one
                a_link_is_void_once_its_account_is_another;
            notices:
                a_standing_follows_every_change_of_state
                what_time_heals_in_between_ends_no_need
                whoever_cannot_be_told_keeps_nobody_else_waiting
                a_clock_put_right_leaves_nobody_waiting_for_the_future
                the_most_within_any_hour_is_counted
                an_incident_is_begun_once_and_holds_its_users
                a_notice_is_told_by_one_and_an_owner_hears_once_a_day
                idle_grants_are_found_by_their_last_renewal
                removal_forgets_what_was_told;
            leases:
                a_lease_is_held_once
                a_lease_given_back_writes_nothing_more
                attempts_count_visits_that_did_not_clear
                account_and_grant_are_leased_apart
                a_lease_outlives_no_account
                i15_a_changed_mailbox_fences_off_the_visit_under_way;
            ledger:
                rows_come_back_as_they_were_written
                i01_a_lost_fence_records_nothing
                many_accounts_are_recorded_at_once
                what_is_durable_is_not_noted_again
                open_rows_keep_the_order_they_were_noted_in
                only_rows_whose_time_has_come_are_to_delete
                answers_follow_the_keys_asked_for
                a_mark_holds_for_its_generation
                a_new_generation_begins_with_its_rows
                forgotten_rows_are_gone
                digest_keys_are_each_accounts_own_and_stay;
        }
    };
    ($run:path => $($room:ident: $($name:ident)+;)+) => {
        $(mod $room {
            $(#[test]
            fn $name() {
                $run(crate::suite::$room::$name)
            })+
        })+
    };
}

pub const NOW: UnixTime = 1_800_000_000;

pub fn keys() -> KeyRing {
    KeyRing::new(vec![KeyBytes::new([42; 32])]).unwrap()
}

pub fn account(id: &str, owner: &str) -> Account {
    Account {
        id: id.into(),
        owner: owner.into(),
        realm: DEFAULT_REALM.into(),
        deliver_to: owner.into(),
        source: TokenSource::Provider("microsoft".into()),
        server: Server { host: "outlook.office365.example".into(), port: 995, security: Security::Implicit },
        user: format!("{id}@contoso.example"),
        sign_in: None,
        app_only: false,
        enabled: true,
        delete: DeletePolicy::Never,
        first_fetch: FirstFetch::All,
        limits: AccountLimits { max_message_bytes: 1 << 20, session_messages: 500, session_s: 600 },
        interval_s: 300,
        pipelining: Pipelining::Auto,
    }
}

pub fn put(store: &dyn Store, id: &str) -> Account {
    let account = account(id, "alice");
    store.put_account(&account, 100, NOW).unwrap();
    account
}

pub fn visit(store: &dyn Store, id: &str) -> Lease {
    store.lease(&LeaseName::Account(id.into()), NOW, 60).unwrap().expect("nobody else holds it")
}

pub fn row(key: u8, state: RowState) -> LedgerRow {
    LedgerRow {
        recorded_at: 0,
        digest: Some([key ^ 0xff; 16]),
        size: 1000 + u64::from(key),
        ..LedgerRow::new([key; 16], state, NOW)
    }
}

pub fn grant(token: &str) -> Grant {
    Grant {
        provider: "microsoft".into(),
        refresh_token: Some(Secret::new(format!("refresh-{token}"))),
        access_token: Some(Secret::new(format!("access-{token}"))),
        renew_at: NOW + 3000,
        expires_at: NOW + 3600,
        scope: "POP.AccessAsUser.All offline_access".into(),
        identity: Some(Identity {
            issuer: "https://login.example/v2.0".into(),
            subject: "sub".into(),
            tenant: Some("tenant".into()),
            object: Some("object".into()),
            name: Some("alice@contoso.example".into()),
        }),
        obtained_at: NOW,
        refreshed_at: NOW,
        session: Some([5; 32]),
        dead: false,
    }
}

pub fn consent(state: u8, account: &str) -> Consent {
    Consent {
        state: [state; 32],
        session: [77; 32],
        account: account.into(),
        number: None,
        actor: Actor::Owner("alice".into()),
        provider: "microsoft".into(),
        redirect_uri: "https://mail.example.com/WorldClient.dll?View=OAuth".into(),
        verifier: Secret::new("the-verifier".into()),
        nonce: Secret::new("the-nonce".into()),
        issuer: "https://login.example/v2.0".into(),
        admin: false,
        device: None,
        created_at: NOW,
        expires_at: NOW + 600,
    }
}
