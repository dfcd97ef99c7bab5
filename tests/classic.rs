//! A password at a real server: Debian's Dovecot, by SCRAM-SHA-256 and by PLAIN.

mod house;
#[path = "real/mod.rs"]
mod rig;

use house::{OWNER, Recorder, cause};
use multipop::model::OPERATOR;
use multipop_host::mock::pop3::Script;
use rig::{Options, Rig, server};
use serde_json::json;

const ALICE: &str = "alice@contoso.example";
const PASSWORD: &str = "grün, süß & 1=1 \"quoted\"";

#[test]
fn dovecot_takes_the_password_by_each_mechanism() {
    let folder = tempfile::tempdir().unwrap();
    server::mode(folder.path(), 0o755);
    let users = folder.path().join("users");
    std::fs::write(&users, format!("{ALICE}:{{PLAIN}}{PASSWORD}\n")).unwrap();
    server::mode(&users, 0o644);
    for (offered, expected) in [("plain scram-sha-256", "SCRAM-SHA-256"), ("plain", "PLAIN")] {
        let dovecot = format!(
            "auth_mechanisms = xoauth2 {offered}\npassdb {{\n  driver = passwd-file\n  mechanisms = {offered}\n  args = {}\n}}",
            users.display()
        );
        let rig = Rig::start(&Options { dovecot, ..Options::default() });
        rig.dovecot.deliver(ALICE, b"From: bob@contoso.example\r\nSubject: one\r\n\r\n.stuffed\r\n");
        let house = house::House::with(Script::dovecot(), |config| {
            config["ca_file"] = json!(rig.pki.ca_file);
            config["accounts"] = json!({});
        });
        let put = |password: &str| {
            let json = json!({
                "use_oauth": false,
                "server": format!("127.0.0.1:{}", rig.dovecot.pop3s_port),
                "user": ALICE,
                "password": password,
            });
            let mut host = Recorder::default();
            house.instance.account_put(&mut host, OPERATOR, OWNER, "alice", &json.to_string()).unwrap();
        };
        put("a wrong one");
        assert_eq!(cause(&house.fetch(&mut Recorder::default()).0), "password.refused", "{offered}");
        let said = house.shown()["state"]["provider_code"].clone();
        assert_eq!(said, "[AUTH]", "{offered}");
        put(PASSWORD);
        let mut sink = Recorder::default();
        house.fetch_ok(&mut sink);
        assert_eq!(sink.delivered.len(), 1, "{offered}");
        let spoken = format!("event=auth mechanism={expected}");
        assert!(sink.lines.iter().any(|line| line.contains(&spoken)), "{offered}: {:?}", sink.lines);
    }
}
