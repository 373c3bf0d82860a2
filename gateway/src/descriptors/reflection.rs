//! Contracts from a backend itself: `grpc.reflection.v1`, or `v1alpha` where it has only that.
//!
//! Asked for is what the configuration mounts, file by file with all imports. Every question is a stream of its own:
//! servers may leave out files that they sent earlier on a stream, and some end the stream at a name they do not know.
//! The two protocols have the same messages and differ in the service's name alone.
//!
//! Limits: time for all questions together, bytes and files. An import that a backend does not have itself (some
//! register only their own files) is taken from the built-in contracts if it is one of `google/`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_types::FileDescriptorProto;
use tonic::{Code, Status, client::Grpc};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use super::Known;
use crate::{config::ContractsConfig, upstreams::GrpcService};

const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const V1_ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// What a backend has of the services that are wanted; a service that it does not have is left out.
///
/// # Errors
/// If it cannot be reached, has no reflection, exceeds a limit, or its files do not hold together.
pub(crate) async fn reflect(
    service: &GrpcService,
    wanted: &[String],
    limits: &ContractsConfig,
) -> anyhow::Result<Known> {
    let time = Duration::from_millis(limits.reflection_timeout_ms);
    match tokio::time::timeout(time, collect(service, wanted, limits)).await {
        Ok(known) => known,
        Err(_) => bail!(
            "reflection took longer than contracts.reflection_timeout_ms = {}",
            limits.reflection_timeout_ms
        ),
    }
}

async fn collect(
    service: &GrpcService,
    wanted: &[String],
    limits: &ContractsConfig,
) -> anyhow::Result<Known> {
    let mut backend = Backend {
        service,
        path: PathAndQuery::from_static(V1),
        bytes_max: limits.bytes_max,
    };
    let mut files = Files {
        limits,
        bytes: 0,
        by_name: BTreeMap::new(),
        imports: BTreeMap::new(),
    };
    for name in wanted {
        if let Some(found) = backend.ask(symbol(name)).await? {
            files.add(found)?;
        }
    }
    while let Some((import, importer)) = files.missing() {
        match backend
            .ask(MessageRequest::FileByFilename(import.clone()))
            .await?
        {
            Some(found) => files.add(found)?,
            None => files.add(vec![built_in(&import).with_context(|| {
                format!("it has no {import:?}, which {importer:?} imports")
            })?])?,
        }
        ensure!(
            files.by_name.contains_key(&import),
            "asked for {import:?} it sent another file"
        );
    }
    Known::new(&files.set())
}

fn symbol(name: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(name.to_owned())
}

/// One side of a conversation.
struct Backend<'a> {
    service: &'a GrpcService,
    /// The protocol that it speaks, as far as is known.
    path: PathAndQuery,
    bytes_max: usize,
}

impl Backend<'_> {
    /// Files as they are on the wire; `None` if there is no such thing.
    async fn ask(&mut self, question: MessageRequest) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        let mut answer = self.put(question.clone()).await;
        if matches!(&answer, Err(status) if status.code() == Code::Unimplemented) && self.path == V1
        {
            self.path = PathAndQuery::from_static(V1_ALPHA);
            answer = self.put(question).await;
        }
        match answer {
            Ok(Some(MessageResponse::FileDescriptorResponse(files))) => {
                Ok(Some(files.file_descriptor_proto))
            }
            Ok(Some(MessageResponse::ErrorResponse(error)))
                if Code::from_i32(error.error_code) == Code::NotFound =>
            {
                Ok(None)
            }
            Ok(Some(MessageResponse::ErrorResponse(error))) => {
                bail!("reflection failed: {}", error.error_message)
            }
            Ok(_) => bail!("reflection answered something else than files"),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) if status.code() == Code::Unimplemented => {
                bail!("it offers neither grpc.reflection.v1 nor v1alpha")
            }
            Err(status) => Err(status).context("reflection failed"),
        }
    }

    async fn put(&self, question: MessageRequest) -> Result<Option<MessageResponse>, Status> {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        };
        let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
        let mut client = Grpc::new(self.service.clone()).max_decoding_message_size(self.bytes_max);
        client
            .ready()
            .await
            .map_err(|error| Status::from_error(Box::new(error)))?;
        let request = tonic::Request::new(tokio_stream::once(request));
        let response = client.streaming(request, self.path.clone(), codec).await?;
        let answer = response.into_inner().message().await?;
        Ok(answer.and_then(|answer| answer.message_response))
    }
}

/// Files in the collecting.
struct Files<'a> {
    limits: &'a ContractsConfig,
    bytes: usize,
    /// As they came: decoding and encoding would lose annotations.
    by_name: BTreeMap<String, Vec<u8>>,
    /// What is imported, and by whom.
    imports: BTreeMap<String, String>,
}

impl Files<'_> {
    fn add(&mut self, files: Vec<Vec<u8>>) -> anyhow::Result<()> {
        for bytes in files {
            let file = FileDescriptorProto::decode(bytes.as_slice())
                .context("reflection sent something else than a file")?;
            if self.by_name.contains_key(file.name()) {
                continue;
            }
            self.bytes += bytes.len();
            ensure!(
                self.bytes <= self.limits.bytes_max,
                "its contracts are larger than contracts.bytes_max = {}",
                self.limits.bytes_max
            );
            ensure!(
                self.by_name.len() < self.limits.files_max,
                "its contracts are more files than contracts.files_max = {}",
                self.limits.files_max
            );
            for import in &file.dependency {
                self.imports
                    .entry(import.clone())
                    .or_insert_with(|| file.name().to_owned());
            }
            self.by_name.insert(file.name().to_owned(), bytes);
        }
        Ok(())
    }

    /// An import that is not there yet, and who wants it.
    fn missing(&mut self) -> Option<(String, String)> {
        let have: BTreeSet<&String> = self.by_name.keys().collect();
        self.imports.retain(|import, _| !have.contains(import));
        let first = self.imports.first_key_value();
        first.map(|(import, importer)| (import.clone(), importer.clone()))
    }

    /// A `FileDescriptorSet`: files are its field 1.
    fn set(&self) -> Vec<u8> {
        let mut set = Vec::with_capacity(self.bytes + 6 * self.by_name.len());
        for file in self.by_name.values() {
            prost::encoding::bytes::encode(1, file, &mut set);
        }
        set
    }
}

/// A well-known file that backends do not always have themselves.
fn built_in(name: &str) -> Option<Vec<u8>> {
    let known = Known::new(banyan_proto::DESCRIPTORS).ok()?;
    let file = known.pool.get_file_by_name(name)?;
    name.starts_with(super::DETAILS)
        .then(|| file.encode_to_vec())
}
