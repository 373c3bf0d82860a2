//! The contracts: what services say to each other, generated from the `.proto` files beside this crate.
//!
//! The `.proto` files are the source of truth; nothing here is edited by hand. The crate knows no service. Besides the
//! generated code it carries the [`DESCRIPTORS`] of every contract, which the gateway transcodes by and services
//! answer reflection from.

// Generated code has its own manners; the contracts carry the documentation.
#[allow(clippy::all, clippy::pedantic, unreachable_pub)]
mod generated {
    pub mod banyan {
        pub mod analytics {
            pub mod v1 {
                tonic::include_proto!("banyan.analytics.v1");
            }
        }
        pub mod compat {
            pub mod cinema {
                pub mod v1 {
                    tonic::include_proto!("banyan.compat.cinema.v1");
                }
            }
            pub mod provider {
                pub mod v1 {
                    tonic::include_proto!("banyan.compat.provider.v1");
                }
            }
        }
        pub mod follow {
            pub mod v1 {
                tonic::include_proto!("banyan.follow.v1");
            }
        }
        pub mod reservation {
            pub mod v1 {
                tonic::include_proto!("banyan.reservation.v1");
            }
        }
        pub mod rollout {
            pub mod v1 {
                tonic::include_proto!("banyan.rollout.v1");
            }
        }
    }
    pub mod google {
        pub mod api {
            tonic::include_proto!("google.api");
        }
        pub mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }
}

pub use generated::banyan::{analytics, compat, follow, reservation, rollout};
pub use generated::google::{api, rpc};

/// Every contract as an encoded `google.protobuf.FileDescriptorSet`, imports and comments included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    #[test]
    fn descriptors_decode_with_their_http_annotations() {
        let pool = DescriptorPool::decode(super::DESCRIPTORS).unwrap();
        let http = pool.get_extension_by_name("google.api.http").unwrap();
        let service = pool
            .get_service_by_name("banyan.reservation.v1.BookingService")
            .unwrap();
        assert!(
            service
                .methods()
                .all(|method| method.options().has_extension(&http))
        );
    }
}
