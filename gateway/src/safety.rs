//! Whether a request changes nothing: decided here, for everybody who asks.
//!
//! What changes nothing is *safe*: the other side may be asked it too, it may be sent again, legacy may answer it where gRPC
//! failed, and it goes where its subject's reads go. Whatever else may change something: it has an owner, happens once, and
//! a follower or a pin lets its subject find it.
//!
//! Asked are, in this order, and the first who says something counts:
//!
//! 1. the route in `gateway.toml`, `safe = true` or `false`: whoever runs both sides knows best;
//! 2. the contract, where the method has `idempotency_level = NO_SIDE_EFFECTS`. `IDEMPOTENT` says nothing here: done twice
//!    is as done once, but it is done;
//! 3. the HTTP method (RFC 9110, 9.2.1).
//!
//! A gRPC call is a POST whatever it does, so that its routes are asked: it is safe if all are that lead to it under its
//! rollout, since it may leave for legacy as a request of any of them.
//!
//! What pages of other sites may send is another question, to which a safe POST is one that a form can send all the same:
//! see [`may_come_from_elsewhere`].

use std::fmt;

use http::Method;
use prost_reflect::{MethodDescriptor, prost_types::method_options::IdempotencyLevel};

/// What is known of the requests of one route before one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// The route says it.
    Declared(bool),
    /// The contract says that they change nothing.
    NoSideEffects,
    /// Nobody has said anything: the HTTP method does.
    Verb,
}

impl Safety {
    /// `declared`: what the route says; `method`: what it calls, where that is known.
    pub(crate) fn new(declared: Option<bool>, method: Option<&MethodDescriptor>) -> Safety {
        match declared {
            Some(is_safe) => Safety::Declared(is_safe),
            None if method.is_some_and(has_no_side_effects) => Safety::NoSideEffects,
            None => Safety::Verb,
        }
    }

    /// Whether a request with this method changes nothing.
    pub(crate) fn is_safe(self, verb: &Method) -> bool {
        match self {
            Safety::Declared(is_safe) => is_safe,
            Safety::NoSideEffects => true,
            Safety::Verb => verb.is_safe(),
        }
    }
}

/// Whether a page of another site may send a request with the secrets of whoever looks at it. Browsers keep cookies back
/// from a POST of another site, so that its answer would give new ones; a GET that changes something would be done.
pub(crate) fn may_come_from_elsewhere(verb: &Method, is_safe: bool) -> bool {
    verb.is_safe() && is_safe
}

/// Who says it, for operators.
impl fmt::Display for Safety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Safety::Declared(_) => "gateway.toml",
            Safety::NoSideEffects => "contract",
            Safety::Verb => "HTTP method",
        })
    }
}

fn has_no_side_effects(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    options.is_some_and(|it| it.idempotency_level() == IdempotencyLevel::NoSideEffects)
}

#[cfg(test)]
mod tests {
    use prost_reflect::{
        DescriptorPool,
        prost_types::{
            DescriptorProto, FileDescriptorProto, MethodDescriptorProto, MethodOptions,
            ServiceDescriptorProto,
        },
    };

    use super::*;

    /// A method of this level; without options where there is none.
    fn method(level: Option<IdempotencyLevel>) -> MethodDescriptor {
        let method = MethodDescriptorProto {
            name: Some("Find".to_owned()),
            input_type: Some(".a.Nothing".to_owned()),
            output_type: Some(".a.Nothing".to_owned()),
            options: level.map(|level| MethodOptions {
                idempotency_level: Some(level.into()),
                ..MethodOptions::default()
            }),
            ..MethodDescriptorProto::default()
        };
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_proto(FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            package: Some("a".to_owned()),
            syntax: Some("proto3".to_owned()),
            message_type: vec![DescriptorProto {
                name: Some("Nothing".to_owned()),
                ..DescriptorProto::default()
            }],
            service: vec![ServiceDescriptorProto {
                name: Some("Finder".to_owned()),
                method: vec![method],
                ..ServiceDescriptorProto::default()
            }],
            ..FileDescriptorProto::default()
        })
        .unwrap();
        let service = pool.get_service_by_name("a.Finder").unwrap();
        service.methods().next().unwrap()
    }

    #[test]
    fn the_route_counts_before_the_contract_and_that_before_the_verb() {
        use IdempotencyLevel::{IdempotencyUnknown, Idempotent, NoSideEffects};
        let safe = [Method::GET, Method::HEAD, Method::OPTIONS];
        let others = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let levels = [
            None,
            Some(IdempotencyUnknown),
            Some(Idempotent),
            Some(NoSideEffects),
        ];
        for level in levels {
            let method = method(level);
            for (declared, want) in [
                (Some(true), [true, true]),
                (Some(false), [false, false]),
                (None, [true, level == Some(NoSideEffects)]),
            ] {
                let safety = Safety::new(declared, Some(&method));
                for (verbs, want) in [(&safe[..], want[0]), (&others[..], want[1])] {
                    for verb in verbs {
                        let is_safe = safety.is_safe(verb);
                        assert_eq!(is_safe, want, "{declared:?}, {level:?}, {verb}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_contract_the_verb_counts_unless_the_route_says_otherwise() {
        for (declared, verb, want) in [
            (None, Method::GET, true),
            (None, Method::POST, false),
            (Some(true), Method::POST, true),
            (Some(false), Method::GET, false),
        ] {
            assert_eq!(Safety::new(declared, None).is_safe(&verb), want);
        }
    }

    #[test]
    fn pages_of_other_sites_send_only_what_is_safe_by_its_verb_too() {
        for (verb, is_safe, want) in [
            (Method::GET, true, true),
            (Method::GET, false, false),
            (Method::POST, true, false),
            (Method::POST, false, false),
        ] {
            assert_eq!(may_come_from_elsewhere(&verb, is_safe), want);
        }
    }
}
