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
    let mut most = 0;
    for port in 0..u16::MAX {
        origins.intern(Scheme::Http, "many", port);
        most = most.max(origins.len());
    }
    let in_front = origins.front.iter().filter(|slot| slot.get().is_some());
    assert_eq!(in_front.count(), FRONT_SLOTS);
    assert_eq!(most, ORIGINS_MAX);
    assert_eq!(
        first,
        origins.intern(Scheme::Http, "a", 1),
        "kept or forgotten, and equal either way"
    );
    let last = origins.find("http://many:65534").unwrap();
    assert_eq!(last, Origin::new(Scheme::Http, "many", 65_534));
}

/// A slot of the front is set once: threads that intern the same origins at the same time get the
/// same ones.
#[test]
fn threads_that_intern_the_same_origins_get_the_same_ones() {
    const THREADS: usize = 4;
    for _ in 0..200 {
        let origins = Origins::default();
        let start = std::sync::Barrier::new(THREADS);
        let intern_all = || {
            start.wait();
            let ports = (1..100).map(|port| origins.intern(Scheme::Http, "a", port));
            ports.collect::<Vec<_>>()
        };
        let all: Vec<Vec<Origin>> = std::thread::scope(|scope| {
            let threads = [(); THREADS].map(|()| scope.spawn(intern_all));
            threads.map(|thread| thread.join().unwrap()).into()
        });
        for interned in &all {
            let same = |(one, other): (&Origin, &Origin)| Arc::ptr_eq(&one.0, &other.0);
            assert!(interned.iter().zip(&all[0]).all(same));
        }
        assert_eq!(origins.len(), 99);
        let found = |origin: &Origin| origins.find(origin.as_str());
        assert!(
            all[0]
                .iter()
                .all(|origin| found(origin).as_ref() == Some(origin))
        );
    }
}
