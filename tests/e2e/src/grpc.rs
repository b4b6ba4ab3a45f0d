//! gRPC as a stranger speaks it: by descriptors, without generated code.

use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ServiceDescriptor};
use serde_json::Value;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use bytes::{Buf, BufMut};

use crate::Service;

/// A channel that connects when first used.
pub fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).expect("an address").connect_lazy()
}

/// A request with a token.
pub fn with_token<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().expect("a token of ASCII");
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// All protos of Callboard.
pub fn descriptors() -> DescriptorPool {
    DescriptorPool::decode(callboard_proto::FILE_DESCRIPTOR_SET).expect("the descriptor set")
}

/// The services that the platform serves: those of the contexts that run in it.
pub fn served(pool: &DescriptorPool) -> impl Iterator<Item = ServiceDescriptor> {
    pool.services().filter(|service| {
        let context = service.full_name().split('.').nth(1).unwrap_or_default();
        Service::ALL.iter().any(|running| running.name() == context)
    })
}

/// Finds an RPC: `tickets.v1.TicketService/GetTicket`.
pub fn method(pool: &DescriptorPool, name: &str) -> MethodDescriptor {
    let (service, method) = name.split_once('/').expect("service/method");
    let service = pool.get_service_by_name(&format!("callboard.{service}")).expect("a service");
    service.methods().find(|known| known.name() == method).unwrap_or_else(|| panic!("no RPC {name}"))
}

/// Calls an RPC with a request in protobuf's JSON; the encoded response.
///
/// # Errors
/// What the service answered.
pub async fn call(
    channel: &Channel,
    method: &MethodDescriptor,
    request: &Value,
    token: Option<&str>,
) -> Result<Vec<u8>, Status> {
    let message = DynamicMessage::deserialize(method.input(), request)
        .unwrap_or_else(|error| panic!("{}: {error}: {request}", method.full_name()));
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = with_token(prost::Message::encode_to_vec(&message), token);
    let path = path.parse().expect("a path");
    if method.is_server_streaming() {
        // What it begins with.
        let mut answers = client.server_streaming(request, path, Raw).await?.into_inner();
        return Ok(answers.message().await?.unwrap_or_default());
    }
    Ok(client.unary(request, path, Raw).await?.into_inner())
}

/// Messages as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; source.remaining()];
        source.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}
