//! What a middleware keeps of each origin, for a bounded number of them.

use std::collections::HashMap;

use turbohttp_core::origin::Origin;

/// Origins that one middleware keeps something of: beyond it, the one that was used longest ago is forgotten.
const ORIGINS_MAX: usize = 1_024;

/// Values by origin, made where there is none.
#[derive(Debug)]
pub(super) struct Origins<T> {
    values: HashMap<Origin, (u64, T)>,
    /// Counts uses, so that the value used longest ago is known.
    uses: u64,
}

impl<T> Default for Origins<T> {
    fn default() -> Origins<T> {
        Origins {
            values: HashMap::new(),
            uses: 0,
        }
    }
}

impl<T> Origins<T> {
    /// The value of the origin.
    pub(super) fn get_or_make(&mut self, origin: &Origin, make: impl FnOnce() -> T) -> &mut T {
        // At a million uses a second it lasts for half a million years.
        self.uses += 1;
        if !self.values.contains_key(origin) && self.values.len() >= ORIGINS_MAX {
            self.forget_oldest();
        }
        let uses = self.uses;
        let entry = self.values.entry(origin.clone());
        let (used, value) = entry.or_insert_with(|| (uses, make()));
        *used = uses;
        value
    }

    /// The value of the origin, if there is one.
    pub(super) fn get(&mut self, origin: &Origin) -> Option<&mut T> {
        self.values.get_mut(origin).map(|(_, value)| value)
    }

    /// Linear, but only where a new origin meets a full table.
    fn forget_oldest(&mut self) {
        let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used);
        if let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) {
            self.values.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_used_longest_ago_is_forgotten() {
        let origin = |port: usize| {
            let request = crate::request::Request::new(
                http::Method::GET,
                format!("http://a.test:{}/", port + 1),
            );
            request.unwrap().origin().clone()
        };
        let mut origins = Origins::default();
        for port in 0..ORIGINS_MAX {
            origins.get_or_make(&origin(port), || port);
        }
        origins.get_or_make(&origin(0), || 0);
        origins.get_or_make(&origin(ORIGINS_MAX), || ORIGINS_MAX);
        assert_eq!(origins.values.len(), ORIGINS_MAX);
        assert!(origins.get(&origin(0)).is_some());
        assert!(origins.get(&origin(1)).is_none());
    }
}
