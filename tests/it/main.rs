//! The contract as reviewers see it: every change to it shows up in a snapshot.

use std::fmt::Write as _;

use prost::Message as _;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

#[test]
fn the_contract_has_not_changed_unseen() {
    let set = FileDescriptorSet::decode(ticketing_proto::FILE_DESCRIPTOR_SET).unwrap();
    let ours = set.file.iter().filter(|file| file.package() == "ticketing.v1");
    let text: String = ours.map(file).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("contract", text);
}

fn file(file: &FileDescriptorProto) -> String {
    let mut text = format!("file {}\n", file.name());
    for service in &file.service {
        for method in &service.method {
            let stream = if method.server_streaming() { "stream " } else { "" };
            let (input, output) = (short(method.input_type()), short(method.output_type()));
            let name = format!("{}/{}", service.name(), method.name());
            writeln!(text, "rpc {name}({input}) returns ({stream}{output})").unwrap();
        }
    }
    for choice in &file.enum_type {
        for value in &choice.value {
            writeln!(text, "enum {} {} = {}", choice.name(), value.name(), value.number()).unwrap();
        }
    }
    for message in &file.message_type {
        for field in &message.field {
            writeln!(text, "message {} {}", message.name(), line(message, field)).unwrap();
        }
    }
    text
}

fn line(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.type_name() {
        "" => format!("{:?}", field.r#type()).to_lowercase(),
        name => short(name).to_owned(),
    };
    let label = match field.oneof_index {
        _ if field.proto3_optional() => "optional ".to_owned(),
        Some(index) => {
            let index = usize::try_from(index).unwrap();
            format!("oneof {} ", message.oneof_decl[index].name())
        }
        None if field.label() == prost_types::field_descriptor_proto::Label::Repeated => {
            "repeated ".to_owned()
        }
        None => String::new(),
    };
    format!("{label}{kind} {} = {}", field.name(), field.number())
}

fn short(name: &str) -> &str {
    name.trim_start_matches(".ticketing.v1.").trim_start_matches('.')
}
