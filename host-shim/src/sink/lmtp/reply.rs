//! Replies of an LMTP server (RFC 2033, RFC 5321 §4.2, RFC 3463) and what each no means for the message.

use std::io::{self, BufRead};

use crate::library::No;

/// Lines of one reply, against a server that never ends.
const LINES: usize = 100;
const LINE_BYTES: u64 = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    pub lines: Vec<String>,
}

impl Reply {
    pub fn read(from: &mut impl BufRead) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let line = read_line(from)?;
            let code = line.get(..3).and_then(|digits| digits.parse::<u16>().ok());
            let code = code.filter(|code| (200..600).contains(code));
            let code = code.ok_or_else(|| nonsense(&line))?;
            let is_last = match line.as_bytes().get(3) {
                None | Some(b' ') => true,
                Some(b'-') => false,
                Some(_) => return Err(nonsense(&line)),
            };
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if is_last {
                return Ok(Reply { code, lines });
            }
            if lines.len() == LINES {
                return Err(nonsense("a reply without end"));
            }
        }
    }

    pub fn is_yes(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// The server goes away (RFC 5321 §3.8).
    pub fn is_closing(&self) -> bool {
        self.code == 421
    }

    /// For people, in one line.
    pub fn words(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }

    /// An enhanced status `c.s.d` without its class, such as `2.2` (RFC 3463).
    fn detail(&self) -> Option<&str> {
        let word = self.lines.last()?.split_whitespace().next()?;
        let (class, detail) = word.split_once('.')?;
        let is_numbers = detail.split('.').count() == 2
            && detail.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
        (matches!(class, "2" | "4" | "5") && is_numbers).then_some(detail)
    }

    /// Over quota or out of disk. A permanent no for want of room is not one about the message: room can be made.
    fn is_full(&self) -> bool {
        match self.detail() {
            Some("2.2" | "3.1") => true,
            Some(_) => false,
            None => matches!(self.code, 452 | 422 | 552),
        }
    }

    /// What a no to `step` means for the message.
    pub fn no(&self, step: Step) -> No {
        let words = format!("LMTP {}: {}", step.name(), self.words());
        if self.is_full() {
            return No::Full(words);
        }
        match (step, self.code) {
            (_, 421) => No::Defer(words),
            (Step::Recipient, 450 | 451 | 550 | 551 | 553) => No::Recipient(words),
            // Too big for this server (RFC 1870 §6), whoever it is for.
            (Step::Sender | Step::Recipient, 552) => No::Refuse(words),
            // Any other no before the message was seen is about the server's set-up, not about the message.
            (Step::Sender | Step::Recipient | Step::Data, _) => No::Defer(words),
            (Step::Message, 500..) => match self.detail() {
                Some("1.1" | "1.2" | "1.6" | "2.1") => No::Recipient(words),
                _ => No::Refuse(words),
            },
            (Step::Message, _) => No::Defer(words),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Sender,
    Recipient,
    Data,
    Message,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Sender => "MAIL",
            Step::Recipient => "RCPT",
            Step::Data => "DATA",
            Step::Message => "delivery",
        }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    io::Read::take(from, LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
    }
    let line = String::from_utf8_lossy(&line);
    Ok(line.trim_end().to_owned())
}

fn nonsense(line: &str) -> io::Error {
    let start: String = line.chars().take(60).collect();
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not a reply: {:?}", start.escape_default().to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply::read(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn a_reply_has_several_lines() {
        let reply = reply("250-mail.example.com\r\n250-SIZE 1000\r\n250 PIPELINING\r\n");
        assert_eq!(reply.lines, ["mail.example.com", "SIZE 1000", "PIPELINING"]);
        for bad in ["", "250", "hello\r\n", "250x\r\n", "999 x\r\n", "250-a\r\n"] {
            assert!(Reply::read(&mut bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Reply::read(&mut "250-x\r\n".repeat(1000).as_bytes()).is_err());
    }

    #[test]
    fn a_no_is_about_room_recipient_message_or_server() {
        let full = ["452 4.2.2 over quota\r\n", "552 5.2.2 Quota exceeded\r\n", "452 x\r\n", "422 x\r\n"];
        for text in full {
            for step in [Step::Recipient, Step::Message] {
                assert!(matches!(reply(text).no(step), No::Full(_)), "{text}");
            }
        }
        let recipient = ["550 5.1.1 unknown\r\n", "450 4.2.0 try later\r\n", "550 no\r\n"];
        for text in recipient {
            assert!(matches!(reply(text).no(Step::Recipient), No::Recipient(_)), "{text}");
        }
        assert!(matches!(reply("554 5.7.1 virus\r\n").no(Step::Message), No::Refuse(_)));
        assert!(matches!(reply("552 5.3.4 too big\r\n").no(Step::Sender), No::Refuse(_)));
        assert!(matches!(reply("451 4.3.0 later\r\n").no(Step::Message), No::Defer(_)));
        assert!(matches!(reply("530 5.7.0 authenticate\r\n").no(Step::Sender), No::Defer(_)));
        assert!(matches!(reply("421 4.3.2 bye\r\n").no(Step::Recipient), No::Defer(_)));
    }
}
