//! Breakers: what one process learnt of a server, the others know.

use super::*;

pub fn a_breaker_is_the_same_for_every_instance(open: Open) {
    let (one, two) = (open(), open());
    let place = "mail.example.com:995 ipv4";
    assert_eq!(one.breaker(place).unwrap(), None);
    let counted = Breaker { failures: 1, since: NOW, open_until: 0 };
    assert_eq!(one.change_breaker(place, &mut |_| Some(counted)).unwrap(), Some(counted));
    let opened = Breaker { failures: 3, open_until: NOW + 120, ..counted };
    let changed = two.change_breaker(place, &mut |before| {
        assert_eq!(before, Some(counted));
        Some(opened)
    });
    assert_eq!(changed.unwrap(), Some(opened));
    assert_eq!(one.breaker(place).unwrap(), Some(opened));
    assert_eq!(one.breaker("mail.example.com:995 ipv6").unwrap(), None);
    assert_eq!(one.change_breaker(place, &mut |_| None).unwrap(), None);
    assert_eq!(two.breaker(place).unwrap(), None);
}
