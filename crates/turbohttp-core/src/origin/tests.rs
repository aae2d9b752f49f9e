use super::*;

#[test]
fn spelling_of_the_host_does_not_change_the_key() {
    let plain = Origin::new(Scheme::Http, "example.com", 80);
    assert_eq!(plain, Origin::new(Scheme::Http, "Example.COM", 80));
    assert_eq!(plain, Origin::new(Scheme::Http, "example.com.", 80));
    assert_ne!(plain, Origin::new(Scheme::Https, "example.com", 80));
    assert_ne!(plain, Origin::new(Scheme::Http, "example.com", 8080));
    assert_eq!(
        plain.precomputed_hash(),
        Origin::new(Scheme::Http, "EXAMPLE.com", 80).precomputed_hash()
    );
}

#[test]
fn authority_names_the_port_only_where_it_must() {
    assert_eq!(Origin::new(Scheme::Http, "a", 80).authority(), "a");
    assert_eq!(Origin::new(Scheme::Https, "a", 443).authority(), "a");
    assert_eq!(
        Origin::new(Scheme::Https, "[::1]", 80).authority(),
        "[::1]:80"
    );
    assert_eq!(
        Origin::new(Scheme::Https, "a", 80).to_string(),
        "https://a:80"
    );
}

#[test]
fn interned_origins_share_one_allocation_and_the_table_is_bounded() {
    let origins = Origins::default();
    let first = origins.intern(Scheme::Http, "a", 1);
    let second = origins.intern(Scheme::Http, "A", 1);
    let found = origins.find("http://a:1").unwrap();
    assert!(Arc::ptr_eq(&first.0, &second.0) && Arc::ptr_eq(&first.0, &found.0));
    assert_eq!(
        origins.find("http://A:1"),
        None,
        "only its own text finds it"
    );
    for port in 0..u16::MAX {
        origins.intern(Scheme::Http, "many", port);
        assert!(origins.len() <= ORIGINS_MAX);
    }
    assert_eq!(
        first,
        origins.intern(Scheme::Http, "a", 1),
        "forgotten, and still equal"
    );
}
