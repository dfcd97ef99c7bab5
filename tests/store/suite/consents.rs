//! Consents under way: bound to a session, single use.

use multipop::error::Status;

use super::*;

const SESSION: [u8; 32] = [77; 32];

pub fn i11_a_consent_is_taken_once(open: Open) {
    put(&*open(), "inbox");
    let begun = consent(1, "inbox");
    open().begin_consent(&begun).unwrap();
    let stores: Vec<_> = (0..6).map(|_| open()).collect();
    let taken: Vec<Consent> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| scope.spawn(|| store.take_consent(&[1; 32], &SESSION, NOW).unwrap()))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| match thread.join().unwrap() {
                TakenConsent::Taken(consent) => Some(consent),
                TakenConsent::Unanswered => None,
                other => panic!("{other:?}"),
            })
            .collect()
    });
    let [taken] = &taken[..] else {
        panic!("taken {} times", taken.len());
    };
    assert_eq!(taken.account, "inbox");
    assert_eq!(taken.actor, begun.actor);
    assert_eq!((&taken.verifier, &taken.nonce), (&begun.verifier, &begun.nonce));
    assert_eq!(
        (&taken.provider, &taken.redirect_uri, &taken.issuer),
        (&begun.provider, &begun.redirect_uri, &begun.issuer)
    );
    assert_eq!((taken.admin, taken.created_at, taken.expires_at), (false, NOW, NOW + 600));
}

pub fn i11_a_strangers_session_consumes_nothing(open: Open) {
    let store = open();
    put(&*store, "inbox");
    store.begin_consent(&consent(1, "inbox")).unwrap();
    let stranger = |state: u8| store.take_consent(&[state; 32], &[66; 32], NOW).unwrap();
    assert!(matches!(stranger(1), TakenConsent::Unknown));
    assert!(matches!(stranger(2), TakenConsent::Unknown));
    assert!(matches!(store.take_consent(&[1; 32], &SESSION, NOW).unwrap(), TakenConsent::Taken(_)));
    store.answer_consent(&[1; 32], "connected").unwrap();
    assert!(matches!(stranger(1), TakenConsent::Unknown));
}

pub fn an_expired_consent_is_not_taken(open: Open) {
    let store = open();
    put(&*store, "inbox");
    store.begin_consent(&consent(1, "inbox")).unwrap();
    let at = |now| store.take_consent(&[1; 32], &SESSION, now).unwrap();
    assert!(matches!(at(NOW + 600), TakenConsent::Expired));
    store.sweep_consents(NOW + 599).unwrap();
    assert!(matches!(at(NOW + 600), TakenConsent::Expired));
    store.sweep_consents(NOW + 600).unwrap();
    assert!(matches!(at(NOW), TakenConsent::Unknown));
}

pub fn the_answer_is_remembered_for_a_quarter_of_an_hour(open: Open) {
    let store = open();
    put(&*store, "inbox");
    store.begin_consent(&consent(1, "inbox")).unwrap();
    let at = |now| store.take_consent(&[1; 32], &SESSION, now).unwrap();
    // An answer before the taking is nobody's.
    store.answer_consent(&[1; 32], "forged").unwrap();
    assert!(matches!(at(NOW + 500), TakenConsent::Taken(_)));
    assert!(matches!(at(NOW + 501), TakenConsent::Unanswered));
    store.answer_consent(&[1; 32], r#"{"account":"inbox","status":0}"#).unwrap();
    store.sweep_consents(NOW + 500 + 899).unwrap();
    match at(NOW + 500 + 899) {
        TakenConsent::Answered(answer) => assert_eq!(answer, r#"{"account":"inbox","status":0}"#),
        other => panic!("{other:?}"),
    }
    assert!(matches!(at(NOW + 500 + 900), TakenConsent::Expired));
}

pub fn removal_of_the_account_ends_its_consents(open: Open) {
    let store = open();
    put(&*store, "inbox");
    store.begin_consent(&consent(1, "inbox")).unwrap();
    store.remove_account("inbox", true).unwrap();
    assert!(matches!(store.take_consent(&[1; 32], &SESSION, NOW).unwrap(), TakenConsent::Unknown));
    store.answer_consent(&[1; 32], "late").unwrap();
    assert_eq!(store.begin_consent(&consent(2, "inbox")).unwrap_err().status, Status::Rights);
}

pub fn i11_a_device_s_code_is_put_back_until_it_is_answered(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let device =
        || DeviceCode { code: Secret::new("the-device-code".into()), interval_s: 5, poll_at: NOW + 5 };
    let begun = Consent { device: Some(device()), ..consent(1, "inbox") };
    assert!(!store.put_back_consent(&begun).unwrap(), "nothing was taken");
    store.begin_consent(&begun).unwrap();
    assert!(!store.put_back_consent(&begun).unwrap(), "it was not taken");
    let take = || store.take_consent(&[1; 32], &SESSION, NOW).unwrap();
    let TakenConsent::Taken(mut taken) = take() else { panic!("it is there") };
    assert!(matches!(take(), TakenConsent::Unanswered));
    let kept = taken.device.as_mut().unwrap();
    assert_eq!((&kept.code, kept.interval_s, kept.poll_at), (&device().code, 5, NOW + 5));
    (kept.interval_s, kept.poll_at) = (10, NOW + 20);
    let stranger = Consent { session: [66; 32], device: Some(device()), ..consent(1, "inbox") };
    assert!(!store.put_back_consent(&stranger).unwrap());
    assert!(store.put_back_consent(&taken).unwrap());
    let TakenConsent::Taken(taken) = take() else { panic!("it is there again") };
    let kept = taken.device.as_ref().unwrap();
    assert_eq!((kept.interval_s, kept.poll_at, taken.expires_at), (10, NOW + 20, NOW + 600));
    // A later begin takes its place, and an answer ends it.
    let newer = DeviceCode { code: Secret::new("a-newer-code".into()), ..device() };
    store.begin_consent(&Consent { device: Some(newer), ..consent(1, "inbox") }).unwrap();
    assert!(!store.put_back_consent(&taken).unwrap());
    let TakenConsent::Taken(newer) = take() else { panic!("the newer one") };
    assert_eq!(newer.device.as_ref().unwrap().code, Secret::new("a-newer-code".into()));
    store.answer_consent(&[1; 32], "connected").unwrap();
    assert!(!store.put_back_consent(&newer).unwrap());
    assert!(matches!(take(), TakenConsent::Answered(answer) if answer == "connected"));
}
