//! A private Dovecot: POP3S, POP3 with STLS and LMTP on loopback, users by token introspection, a Maildir each.
//!
//! Runs as root (mail then belongs to nobody) or as whoever runs the test.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::{Gid, Group, Uid, User, chown};

use super::Pki;
use super::openid::{INTROSPECTION_SECRET, OpenIdProvider};
use super::server::{end, free_port, mode, program, wait_until, write_secret};

pub struct Dovecot {
    /// TLS from the first byte.
    pub pop3s_port: u16,
    /// In clear until STLS.
    pub pop3_port: u16,
    pub lmtp_port: u16,
    pub log_file: PathBuf,
    mail: PathBuf,
    config_file: PathBuf,
    owner: Owner,
    child: Option<Child>,
}

/// Whose the mail and the processes are.
#[derive(Clone)]
struct Owner {
    internal: String,
    login: String,
    group: String,
    uid: Uid,
    gid: Gid,
}

impl Dovecot {
    /// `extra` are lines added to the configuration.
    pub fn start(dir: &Path, pki: &Pki, provider: &OpenIdProvider, extra: &str) -> Dovecot {
        let base = dir.join("dovecot");
        let mail = dir.join("mail");
        let owner = Owner::of_this_process();
        for folder in [&base, &mail] {
            fs::create_dir(folder).expect("a folder in the test's own");
            mode(folder, 0o755);
        }
        chown(&mail, Some(owner.uid), Some(owner.gid)).expect("the mail folder's owner");

        let mut dovecot = Dovecot {
            pop3s_port: free_port(),
            pop3_port: free_port(),
            lmtp_port: free_port(),
            log_file: dir.join("dovecot.log"),
            config_file: dir.join("dovecot.conf"),
            mail,
            owner,
            child: None,
        };
        let oauth2_file = dir.join("dovecot-oauth2.conf");
        write_secret(&oauth2_file, oauth2(provider, pki).as_bytes());
        let config = dovecot.config(&base, pki, &oauth2_file, extra);
        fs::write(&dovecot.config_file, config).expect("the configuration");
        dovecot.restart();
        dovecot
    }

    /// Puts a message into the user's mailbox. Names sort by delivery, so POP3 numbers follow it.
    pub fn deliver(&self, user: &str, message: &[u8]) {
        self.deliver_often(user, message, 1);
    }

    /// The same message again and again, on the disk but once.
    pub fn deliver_often(&self, user: &str, message: &[u8], times: u64) {
        static NUMBER: AtomicU64 = AtomicU64::new(1_000_000);
        let maildir = self.mail.join(user);
        for folder in ["", "tmp", "new", "cur"] {
            let folder = maildir.join(folder);
            if !folder.exists() {
                fs::create_dir(&folder).expect("a Maildir");
                chown(&folder, Some(self.owner.uid), Some(self.owner.gid)).expect("the Maildir's owner");
            }
        }
        let written = maildir.join("tmp").join("being-delivered");
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o644).open(&written).expect("a new message");
        file.write_all(message).expect("a new message");
        chown(&written, Some(self.owner.uid), Some(self.owner.gid)).expect("the message's owner");
        for _ in 0..times {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}.M{number}P{}.localhost", 1_700_000_000 + number, std::process::id());
            fs::hard_link(&written, maildir.join("new").join(&name)).expect("a new message");
        }
        fs::remove_file(&written).expect("a new message");
    }

    /// How many messages the user has on the server.
    pub fn messages(&self, user: &str) -> usize {
        let count = |folder| fs::read_dir(self.mail.join(user).join(folder)).map_or(0, Iterator::count);
        count("new") + count("cur")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log_file).unwrap_or_default()
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            end(&mut child);
        }
    }

    pub fn restart(&mut self) {
        self.stop();
        // The kernel ends Dovecot with the thread that started it, even if the test is killed.
        let mut child = Command::new(program("setpriv"))
            .args(["--pdeathsig", "TERM"])
            .arg(program("dovecot"))
            .arg("-F")
            .arg("-c")
            .arg(&self.config_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(OpenOptions::new().create(true).append(true).open(&self.log_file).expect("the log file"))
            .spawn()
            .expect("setpriv starts");
        let ports = [self.pop3s_port, self.pop3_port, self.lmtp_port];
        wait_until("Dovecot", &mut child, &self.log_file, || {
            ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        self.child = Some(child);
    }

    fn config(&self, base: &Path, pki: &Pki, oauth2_file: &Path, extra: &str) -> String {
        let Owner { internal, login, group, uid, gid } = &self.owner;
        format!(
            "base_dir = {base}
state_dir = {base}
log_path = {log}
auth_verbose = yes
protocols = pop3 lmtp
listen = 127.0.0.1
hostname = localhost
instance_name = multipop-test
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}

ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2

auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {oauth2}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%u allow_all_users=yes
}}
mail_location = maildir:{mail}/%u
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
mail_max_userip_connections = 100

service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  user = {internal}
}}
{extra}
",
            base = base.display(),
            log = self.log_file.display(),
            certificate = pki.certificate_file.display(),
            key = pki.key_file.display(),
            oauth2 = oauth2_file.display(),
            mail = self.mail.display(),
            pop3 = self.pop3_port,
            pop3s = self.pop3s_port,
            lmtp = self.lmtp_port,
        )
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Owner {
    fn of_this_process() -> Owner {
        if Uid::effective().is_root() {
            let nobody = User::from_name("nobody").ok().flatten().expect("the user nobody");
            return Owner {
                internal: "dovecot".to_owned(),
                login: "dovenull".to_owned(),
                group: "dovecot".to_owned(),
                uid: nobody.uid,
                gid: nobody.gid,
            };
        }
        let user = User::from_uid(Uid::effective()).ok().flatten().expect("this process's user");
        let group = Group::from_gid(Gid::effective()).ok().flatten().expect("this process's group");
        Owner {
            internal: user.name.clone(),
            login: user.name,
            group: group.name,
            uid: user.uid,
            gid: group.gid,
        }
    }
}

/// How Dovecot asks the provider about a token (its `passdb oauth2`).
fn oauth2(provider: &OpenIdProvider, pki: &Pki) -> String {
    let address = provider.introspection_endpoint();
    let address = address.replacen("https://", &format!("https://dovecot:{INTROSPECTION_SECRET}@"), 1);
    format!(
        "introspection_mode = post
introspection_url = {address}
username_attribute = username
active_attribute = active
active_value = true
tls_ca_cert_file = {ca}
timeout_msecs = 10000
",
        ca = pki.ca_file.display(),
    )
}
