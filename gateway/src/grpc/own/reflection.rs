//! `grpc.reflection.v1.ServerReflection`: the contracts of what is mounted, as they were loaded.
//!
//! A service is named if it is mounted on the listener; of files there are those that its methods are in, with all that
//! they import. They are given with all their options, `google.api.http` among them, so that another gateway could be
//! made from this one.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
};

use futures::{Stream, StreamExt as _};
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::{Request, Response, Status, Streaming};
use tonic_reflection::{
    pb::v1::{
        ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    server::v1::ServerReflection,
};

use crate::routes::Served;

/// What can be asked; clones share it.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Reflection(Arc<Contracts>);

#[derive(Debug, Default)]
struct Contracts {
    services: BTreeSet<String>,
    files: BTreeMap<String, FileDescriptor>,
    pools: Vec<DescriptorPool>,
}

impl Reflection {
    /// The contracts of everything that is served.
    pub(in crate::grpc) fn new<'s>(served: impl Iterator<Item = &'s Served>) -> Reflection {
        let mut contracts = Contracts::default();
        for served in served {
            let service = served.method.parent_service();
            if contracts.services.insert(service.full_name().to_owned()) {
                contracts.add(service.parent_file());
            }
        }
        Reflection(Arc::new(contracts))
    }
}

impl Contracts {
    fn add(&mut self, file: FileDescriptor) {
        if self.files.contains_key(file.name()) {
            return;
        }
        if !self.pools.contains(file.parent_pool()) {
            self.pools.push(file.parent_pool().clone());
        }
        self.files.insert(file.name().to_owned(), file.clone());
        for import in file.dependencies() {
            self.add(import);
        }
    }

    fn answer(&self, request: &MessageRequest) -> Result<MessageResponse, Status> {
        let missing = || Status::not_found("no contract that is mounted here has it");
        match request {
            MessageRequest::ListServices(_) => {
                let names = self.services.iter().cloned();
                let service = names.map(|name| ServiceResponse { name }).collect();
                Ok(MessageResponse::ListServicesResponse(ListServiceResponse {
                    service,
                }))
            }
            MessageRequest::FileByFilename(name) => {
                self.files.get(name).map(file).ok_or_else(missing)
            }
            MessageRequest::FileContainingSymbol(symbol) => {
                let found = self.pools.iter().find_map(|pool| of_symbol(pool, symbol));
                self.known(found).ok_or_else(missing)
            }
            MessageRequest::FileContainingExtension(extension) => {
                let number = u32::try_from(extension.extension_number).unwrap_or_default();
                let found = self.pools.iter().find_map(|pool| {
                    let message = pool.get_message_by_name(&extension.containing_type)?;
                    Some(message.get_extension(number)?.parent_file())
                });
                self.known(found).ok_or_else(missing)
            }
            MessageRequest::AllExtensionNumbersOfType(name) => {
                let messages = self
                    .pools
                    .iter()
                    .filter_map(|pool| pool.get_message_by_name(name));
                let known = |file: FileDescriptor| self.files.contains_key(file.name());
                let mut is_known = false;
                let mut numbers = BTreeSet::new();
                for message in messages {
                    is_known |= known(message.parent_file());
                    let extensions = message.extensions().filter(|one| known(one.parent_file()));
                    numbers.extend(extensions.map(|one| one.number().cast_signed()));
                }
                let answer = ExtensionNumberResponse {
                    base_type_name: name.clone(),
                    extension_number: numbers.into_iter().collect(),
                };
                let answer = MessageResponse::AllExtensionNumbersResponse(answer);
                is_known.then_some(answer).ok_or_else(missing)
            }
        }
    }

    fn known(&self, found: Option<FileDescriptor>) -> Option<MessageResponse> {
        self.files.get(found?.name()).map(file)
    }
}

fn file(file: &FileDescriptor) -> MessageResponse {
    MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
        file_descriptor_proto: vec![file.encode_to_vec()],
    })
}

/// The file of a service, method, message, field, enum or extension.
fn of_symbol(pool: &DescriptorPool, symbol: &str) -> Option<FileDescriptor> {
    let symbol = symbol.trim_start_matches('.');
    let whole = |name: &str| {
        let service = pool.get_service_by_name(name).map(|it| it.parent_file());
        let message = || pool.get_message_by_name(name).map(|it| it.parent_file());
        let enumeration = || pool.get_enum_by_name(name).map(|it| it.parent_file());
        let extension = || pool.get_extension_by_name(name).map(|it| it.parent_file());
        service
            .or_else(message)
            .or_else(enumeration)
            .or_else(extension)
    };
    whole(symbol).or_else(|| {
        let (parent, name) = symbol.rsplit_once('.')?;
        let service = pool.get_service_by_name(parent);
        let is_method = |it: &prost_reflect::ServiceDescriptor| {
            it.methods().any(|method| method.name() == name)
        };
        let message = || {
            let it = pool.get_message_by_name(parent)?;
            it.get_field_by_name(name).map(|_| it.parent_file())
        };
        let service = service.filter(is_method).map(|it| it.parent_file());
        service.or_else(message)
    })
}

#[tonic::async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream =
        Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let contracts = Arc::clone(&self.0);
        let answers = request.into_inner().map(move |asked| {
            let asked = asked?;
            let nothing = || Status::invalid_argument("nothing is asked");
            let answer = asked.message_request.as_ref().ok_or_else(nothing);
            let answer = answer.and_then(|asked| contracts.answer(asked));
            let answer = answer.unwrap_or_else(|status| {
                MessageResponse::ErrorResponse(ErrorResponse {
                    error_code: status.code() as i32,
                    error_message: status.message().to_owned(),
                })
            });
            Ok(ServerReflectionResponse {
                valid_host: asked.host.clone(),
                original_request: Some(asked),
                message_response: Some(answer),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}
