//! A notice as mail (RFC 5322), which says that no person wrote it (RFC 3834).

use aws_lc_rs::digest::{SHA256, digest};
use clap::ValueEnum;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::raw::Raw;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Languages {
    En,
    De,
    Both,
}

impl Languages {
    fn names(self) -> &'static [&'static str] {
        match self {
            Languages::En => &["en"],
            Languages::De => &["de"],
            Languages::Both => &["en", "de"],
        }
    }
}

pub struct Mail<'a> {
    pub from: Option<&'a str>,
    pub languages: Languages,
}

impl Mail<'_> {
    /// Its key, the same whenever the same is said to the same person, and its bytes.
    pub fn written(&self, notice: &Value, to: &str) -> Result<(String, Vec<u8>), String> {
        let part = |name: &'static str| {
            let texts = self.languages.names().iter();
            texts.filter_map(move |language| notice["texts"][*language][name].as_str())
        };
        let subject = part("subject").collect::<Vec<_>>().join(" / ");
        let text = part("text").collect::<Vec<_>>().join("\n-- \n\n").replace('\n', "\r\n");
        if subject.is_empty() || text.is_empty() {
            return Err("the library sent no text for it".to_owned());
        }
        let said = digest(&SHA256, format!("{}\0{to}\0{subject}\0{text}", notice["id"]).as_bytes());
        let hex: String = said.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let host = host();
        let from = self.from.map_or_else(|| format!("multipop@{host}"), str::to_owned);
        if !is_address(to) || !is_address(&from) {
            return Err(format!("{to:?} or {from:?} can be no mail address"));
        }
        let at = if to.contains('@') { to.to_owned() } else { format!("{to}@{host}") };
        let message = MessageBuilder::new()
            .message_id(format!("notice-{hex}@{host}"))
            .from(("Mail collection", from.as_str()))
            .to(at.as_str())
            .subject(subject)
            .header("Auto-Submitted", HeaderType::from(Raw::new("auto-generated")))
            .text_body(text);
        Ok((format!("notice-{hex}"), message.write_to_vec().map_err(|e| e.to_string())?))
    }
}

/// What would be read as more than one, or as another header, is none.
fn is_address(text: &str) -> bool {
    let separates = |c: char| c.is_control() || c.is_whitespace() || "<>(),;:\"".contains(c);
    !text.is_empty() && !text.contains(separates)
}

fn host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name: String = name
        .to_string_lossy()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        .collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice() -> Value {
        json!({ "id": "1.2", "texts": {
            "en": { "subject": "Mail is not collected", "text": "Hello,\n\nsign in.\n" },
            "de": { "subject": "Post für Sie wird nicht abgeholt", "text": "Drücken Sie auf Autorisieren.\n" },
        } })
    }

    #[test]
    fn it_is_a_well_formed_message_in_both_languages() {
        let mail = Mail { from: None, languages: Languages::Both };
        let (key, bytes) = mail.written(&notice(), "alice@example.com").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_ascii(), "7 bits go everywhere");
        for header in [
            "Message-ID: <notice-",
            "From: ",
            "To: ",
            "Date: ",
            "Subject: ",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(text.lines().any(|line| line.starts_with(header)), "{header}\n{text}");
        }
        assert!(text.split("\r\n").all(|line| !line.contains('\n') && line.len() <= 998));
        assert!(text.contains("Dr=C3=BCcken") && text.contains("Hello,"), "{text}");
        assert!(key.len() <= 64);
        assert_eq!(mail.written(&notice(), "alice@example.com").unwrap().0, key, "told again it is the same");
        assert_ne!(mail.written(&notice(), "bob@example.com").unwrap().0, key);
    }

    #[test]
    fn what_others_chose_makes_no_header() {
        let mail = Mail { from: None, languages: Languages::En };
        for to in
            ["alice\r\nBcc: eve@example.com", "alice@example.com, eve@example.com", "<eve@example.com>", ""]
        {
            assert!(mail.written(&notice(), to).is_err(), "{to}");
        }
        assert!(mail.written(&notice(), "alice").is_ok());
    }
}
