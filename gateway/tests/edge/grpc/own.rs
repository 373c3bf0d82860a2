//! The gateway's own services.

use banyan_gateway::config::ListenerName;
use futures::{StreamExt as _, stream};
use prost::Message as _;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::talk::Talk;

async fn channel(address: std::net::SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

fn health_of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn the_gateway_says_whether_it_serves() {
    let talk = Talk::start().await;
    let mut health = HealthClient::new(channel(talk.world.gateway.public).await);
    for service in ["", "talk.v1.TalkService", "shop.v1.ShopService"] {
        let answer = health.check(health_of(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    for service in ["nobody.v1.Service", "banyan.rollout.v1.RolloutService"] {
        let status = health.check(health_of(service)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{service}");
    }
    let mut watched = health.watch(health_of("")).await.unwrap().into_inner();
    let first = watched.next().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    talk.world.process().readiness().drain();
    let second = watched.next().await.unwrap().unwrap();
    assert_eq!(second.status(), ServingStatus::NotServing);

    // Nobody who watches holds the end up, not even for a service that is not there.
    let unknown = health.watch(health_of("nobody.v1.Service")).await;
    let mut unknown = unknown.unwrap().into_inner();
    let first = unknown.next().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    talk.world.process().shutdown().cancel();
    assert!(watched.next().await.is_none());
    assert!(unknown.next().await.is_none());
}

async fn reflect(
    address: std::net::SocketAddr,
    asked: &[MessageRequest],
) -> Result<Vec<MessageResponse>, tonic::Status> {
    let asked: Vec<_> = asked
        .iter()
        .cloned()
        .map(|asked| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(asked),
        })
        .collect();
    let mut client = ServerReflectionClient::new(channel(address).await);
    let answers = client
        .server_reflection_info(stream::iter(asked))
        .await?
        .into_inner();
    let answers = answers.map(|answer| answer.unwrap().message_response.unwrap());
    Ok(answers.collect().await)
}

#[tokio::test]
async fn contracts_are_told_where_the_configuration_says_so() {
    let talk = Talk::start().await;
    let list = [MessageRequest::ListServices(String::new())];
    let status = reflect(talk.world.gateway.public, &list).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    let answers = reflect(talk.world.gateway.ops, &list).await.unwrap();
    let [MessageResponse::ListServicesResponse(list)] = answers.as_slice() else {
        panic!("{answers:?}");
    };
    let names: Vec<_> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["banyan.rollout.v1.RolloutService"]);

    let talk = Talk::with(|config| config.grpc.reflection = vec![ListenerName::Public]).await;
    let asked = [
        MessageRequest::FileContainingSymbol("talk.v1.TalkService".to_owned()),
        MessageRequest::FileContainingSymbol("talk.v1.TalkService.Echo".to_owned()),
        MessageRequest::FileContainingSymbol("talk.v1.Word.text".to_owned()),
        MessageRequest::FileByFilename("google/api/http.proto".to_owned()),
        MessageRequest::FileContainingSymbol("banyan.rollout.v1.RolloutService".to_owned()),
        MessageRequest::AllExtensionNumbersOfType("google.protobuf.MethodOptions".to_owned()),
    ];
    let answers = reflect(talk.world.gateway.public, &asked).await.unwrap();
    for answer in &answers[..4] {
        assert!(
            matches!(answer, MessageResponse::FileDescriptorResponse(_)),
            "{answer:?}"
        );
    }
    let MessageResponse::FileDescriptorResponse(file) = &answers[0] else {
        unreachable!()
    };
    let bytes = &file.file_descriptor_proto[0];
    assert_eq!(
        prost_types::FileDescriptorProto::decode(bytes.as_slice())
            .unwrap()
            .name(),
        "talk.proto"
    );
    let annotation = b"/v1/echo";
    assert!(
        bytes
            .windows(annotation.len())
            .any(|part| part == annotation),
        "options are told too"
    );
    assert!(
        matches!(&answers[4], MessageResponse::ErrorResponse(error) if error.error_code == 5),
        "what is not mounted here: {:?}",
        answers[4]
    );
    assert!(
        matches!(&answers[5], MessageResponse::AllExtensionNumbersResponse(all) if all.extension_number.contains(&72_295_728)),
        "{:?}",
        answers[5]
    );
}
