//! The numbers of `multipop.h`: versions, statuses, answers, flags, kinds of events.

pub const ABI_MAJOR: u32 = 1;
pub const ABI_MINOR: u32 = 2;
pub const ABI_VERSION: u32 = ABI_MAJOR << 16 | ABI_MINOR;

/// The actor who may do everything; never a valid owner.
pub const OPERATOR: &str = "*";

pub const OK: i32 = 0;
pub const E_ARGUMENT: i32 = -1;
pub const E_ABI: i32 = -2;
pub const E_STATE: i32 = -3;
pub const E_FORKED: i32 = -4;
pub const E_CONFIG: i32 = -10;
pub const E_STORE: i32 = -11;
pub const E_KEY: i32 = -12;
pub const E_PROVIDER: i32 = -13;
pub const E_SERVER: i32 = -14;
pub const E_POLICY: i32 = -15;
pub const E_RESOURCES: i32 = -16;
pub const E_CONSENT: i32 = -20;
pub const E_CALLBACK: i32 = -21;
pub const E_CONFIRM: i32 = -22;
pub const E_RIGHTS: i32 = -23;
pub const E_TRANSIENT: i32 = -30;
pub const E_CANCELLED: i32 = -31;
pub const E_DEADLINE: i32 = -32;
pub const E_SINK: i32 = -40;
pub const E_SINK_FULL: i32 = -41;
pub const E_SINK_RECIPIENT: i32 = -42;
pub const E_INTERNAL: i32 = -50;

pub const GO: i32 = 0;
pub const TAKEN: i32 = 1;
pub const QUEUED: i32 = 2;
pub const DEFER: i32 = 3;
pub const DEFER_FULL: i32 = 4;
pub const DEFER_RECIPIENT: i32 = 5;
pub const REFUSE: i32 = 6;
pub const STOP: i32 = 7;

pub const LOG_ERROR: u32 = 1;
pub const LOG_WARN: u32 = 2;
/// Also what 0 in `Host::log_level` means.
pub const LOG_INFO: u32 = 3;
pub const LOG_DEBUG: u32 = 4;
pub const LOG_TRACE: u32 = 5;

pub const EVENT_PASS_BEGIN: u32 = 1;
pub const EVENT_PASS_END: u32 = 2;
pub const EVENT_ACCOUNT_BEGIN: u32 = 3;
pub const EVENT_ACCOUNT_END: u32 = 4;
pub const EVENT_PROGRESS: u32 = 5;
pub const EVENT_CONSENT_NEEDED: u32 = 6;
pub const EVENT_CONSENT_RESTORED: u32 = 7;
pub const EVENT_OPERATOR_NEEDED: u32 = 8;
pub const EVENT_THROTTLED: u32 = 9;
pub const EVENT_SET_ASIDE: u32 = 10;
/// Since 1.2.
pub const EVENT_RECOVERED: u32 = 11;

/// Ask which account to sign in with, even where one is signed in already.
pub const AUTHORIZE_CHOOSE_ACCOUNT: u32 = 1;
/// Show the consent page even where consent was given before.
pub const AUTHORIZE_FORCE_CONSENT: u32 = 2;
/// An administrator's consent for the whole tenant instead of a user's for his mailbox.
pub const AUTHORIZE_ADMIN_CONSENT: u32 = 4;

/// Ignore interval and back-off; never pause, breaker, budget or LOGIN-DELAY.
pub const FETCH_NOW: u32 = 1;
/// `check` only: also what a fetch would take and delete. Since 1.1.
pub const FETCH_DRY_RUN: u32 = 2;

/// The ledger knows of an unfinished delivery under this key.
pub const MESSAGE_MAY_REPEAT: u32 = 1;

/// `next_due_s` where nothing is scheduled.
pub const NEVER: u32 = u32::MAX;
