//! Generated mail: the same each time, exact in size, hard on a reader.

use multipop_host::mock::mail::{BLOCK, Body, Odd, message_id, smallest};

#[test]
fn a_seed_gives_one_message_of_the_exact_size() {
    for size in [smallest(7), 700, 1000, 4096, 65_536, 1_000_003] {
        let body = Body::Generated { seed: 7, size };
        let bytes = body.to_vec();
        assert_eq!(bytes.len() as u64, size);
        assert_eq!(body.size(), size);
        assert_eq!(bytes, Body::Generated { seed: 7, size }.to_vec());
        assert_eq!(body.digest(), Body::from_bytes(bytes.clone()).digest());
        assert_ne!(body.digest(), Body::Generated { seed: 8, size }.digest());
        let text = String::from_utf8(bytes).unwrap();
        for field in ["Message-ID: ", "Date: ", "From: ", "Subject: ", "MIME-Version: 1.0"] {
            assert!(text.contains(field), "{field} at {size}");
        }
        assert!(text.contains(&message_id(7)));
        assert!(text.ends_with("\r\n"));
    }
}

#[test]
fn a_large_message_is_multipart_and_no_two_blocks_are_alike() {
    let body = Body::Generated { seed: 3, size: 10 * BLOCK as u64 };
    let text = String::from_utf8(body.to_vec()).unwrap();
    let (_, rest) = text.split_once("boundary=\"").unwrap();
    let (boundary, _) = rest.split_once('"').unwrap();
    assert_eq!(text.matches(&format!("\r\n--{boundary}\r\n")).count(), 2);
    assert!(text.ends_with(&format!("\r\n--{boundary}--\r\n")));
    assert!(text.contains("\r\n.\r\n") && text.contains("\r\n..two\r\n"));
    let mut pieces = body.pieces();
    let mut seen = std::collections::HashSet::new();
    while let Some(piece) = pieces.next() {
        assert!(piece.len() <= BLOCK);
        assert!(seen.insert(piece.to_vec()));
    }
}

#[test]
fn a_message_larger_than_memory_is_begun_at_once() {
    let mut pieces = Body::Generated { seed: 1, size: 1 << 45 }.pieces();
    let mut octets = 0;
    while octets < 10_000_000 {
        octets += pieces.next().unwrap().len();
    }
}

#[test]
fn oddities_are_what_they_say() {
    let has = |odd: Odd, needle: &[u8]| {
        let bytes = odd.message(1).to_vec();
        assert!(memchr::memmem::find(&bytes, needle).is_some(), "{odd:?}");
    };
    has(Odd::LeadingDots, b"\r\n.\r\n");
    has(Odd::BareCr, b"one\rtwo");
    has(Odd::BareLf, b"three\n.four");
    has(Odd::Nul, b"a\0b");
    has(Odd::EightBit, b"\xff\xfe");
    has(Odd::Utf8Headers, "Subject: Grüße".as_bytes());
    assert!(Odd::DotFirst.message(1).to_vec().starts_with(b"."));
    assert!(!Odd::NoFinalLineEnd.message(1).to_vec().ends_with(b"\n"));
    assert_eq!(Odd::Empty.message(1).size(), 0);
    assert!(Odd::LongLine.message(1).size() > 200_000);
}
