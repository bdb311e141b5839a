//! The golden bytes: `tests/golden/frames.json`, which the page's tests read too.
//!
//! A frame whose bytes changed fails here. After a deliberate change, `ARTNEST_BLESS=1 cargo test -p artnest golden`
//! writes the file anew.

use std::{env, fs, path::Path};

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::model::{Code, ReadOnly, Role};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/frames.json");

struct Golden {
    name: &'static str,
    /// What the bytes mean, in words that another language can check.
    value: Value,
    bytes: Bytes,
}

fn client(name: &'static str, value: Value, frame: &ClientFrame) -> Golden {
    let bytes = frame.encode();
    assert_eq!(ClientFrame::read(&bytes).as_ref(), Ok(frame), "{name}");
    Golden { name, value, bytes }
}

fn server(name: &'static str, value: Value, bytes: Bytes) -> Golden {
    assert!(ServerFrame::read(&bytes).is_ok(), "{name}: {:?}", ServerFrame::read(&bytes));
    Golden { name, value, bytes }
}

fn points(points: &[(i32, i32, u8)]) -> PointsWriter {
    points.iter().map(|&(x, y, pressure)| Point { x, y, pressure }).collect()
}

fn from_client() -> Vec<Golden> {
    let key = core::array::from_fn(|index| u8::try_from(index).unwrap());
    let join = Join { key, log_id: 0, seq: 0, token: "A".repeat(22), name: "Ada".into() };
    let again = Join {
        log_id: 0x0102_0304_0506_0708,
        seq: 258,
        token: String::new(),
        name: "Ædå ✎".into(),
        ..join.clone()
    };
    let two = points(&[(16, 32, 128), (24, 16, 255)]);
    let begin = Op::Begin {
        layer: 1,
        tool: 0,
        colour: [255, 128, 0, 255],
        size: 64,
        ends: false,
        points: two.points(),
    };
    let dot = points(&[(-16, 8, 255)]);
    let rubber =
        Op::Begin { layer: 2, tool: 1, colour: [0, 0, 0, 255], size: 320, ends: true, points: dot.points() };
    let end = Op::Points { stroke: 7, ends: true, points: Points::NONE };
    let all = [
        end,
        rubber,
        Op::Redo { stroke: 3 },
        Op::Clear { layer: ALL_LAYERS },
        Op::Lock { layer: 0, locked: true },
        Op::Say { text: "hello ✎" },
    ];
    vec![
        client(
            "join",
            json!({"version": 1, "key": "000102030405060708090a0b0c0d0e0f", "log_id": "0", "seq": 0, "token": "A".repeat(22), "name": "Ada"}),
            &ClientFrame::Join(join),
        ),
        client(
            "join again",
            json!({"version": 1, "key": "000102030405060708090a0b0c0d0e0f", "log_id": "72623859790382856", "seq": 258, "token": "", "name": "Ædå ✎"}),
            &ClientFrame::Join(again),
        ),
        client(
            "ops: begin, undo",
            json!({"first": 7, "ops": [
            {"kind": "begin", "layer": 1, "tool": "pen", "colour": "#ff8000ff", "size": 64, "ends": false, "points": [[16, 32, 128], [24, 16, 255]]},
            {"kind": "undo", "stroke": 3}]}),
            &ClientFrame::ops(7, [begin, Op::Undo { stroke: 3 }]),
        ),
        client(
            "ops: all others",
            json!({"first": 8, "ops": [
            {"kind": "points", "stroke": 7, "ends": true, "points": []},
            {"kind": "begin", "layer": 2, "tool": "eraser", "colour": "#000000ff", "size": 320, "ends": true, "points": [[-16, 8, 255]]},
            {"kind": "redo", "stroke": 3}, {"kind": "clear", "layer": 255}, {"kind": "lock", "layer": 0, "locked": true},
            {"kind": "say", "text": "hello ✎"}]}),
            &ClientFrame::ops(8, all),
        ),
        client(
            "cursor",
            json!({"x": -16, "y": 8, "state": 2}),
            &ClientFrame::Cursor { x: -16, y: 8, state: 2 },
        ),
        client("rename", json!({"name": "Grace"}), &ClientFrame::Rename { name: "Grace".into() }),
        client(
            "set role",
            json!({"member": 2, "role": 1}),
            &ClientFrame::SetRole { member: 2, role: Role::Artist },
        ),
        client("kick", json!({"member": 2, "ban": true}), &ClientFrame::Kick { member: 2, ban: true }),
        client("ping", json!({"nonce": "513"}), &ClientFrame::Ping(513)),
    ]
}

fn from_server() -> Vec<Golden> {
    let welcome = Welcome {
        member: 2,
        role: Role::Artist,
        log_id: 0x0102_0304_0506_0708,
        seq: 258,
        last_op: 6,
        resumes: true,
        now: 1_000,
        width: 2_400,
        height: 1_600,
        room: "Harbour".into(),
        name: "Ada".into(),
    };
    let entries = [
        RosterEntry { member: 1, here: true, role: Role::Owner, name: "Grace".into() },
        RosterEntry { member: 2, here: false, role: Role::Viewer, name: "Ada".into() },
    ];
    let cursors = [
        Cursor { member: 1, x: 160, y: -32, pointing: Pointing::Drawing },
        Cursor { member: 2, x: 0, y: 0, pointing: Pointing::Away },
    ];
    let dot = points(&[(0, 0, 255)]);
    let mut records = Vec::new();
    put_record(
        &mut records,
        &Record { member: 2, number: 7, op: Op::Points { stroke: 5, ends: true, points: dot.points() } },
    );
    vec![
        server(
            "welcome",
            json!({"version": 1, "member": 2, "role": 1, "log_id": "72623859790382856", "seq": 258, "last_op": 6, "resumes": true, "now": 1000,
            "width": 2400, "height": 1600, "points_max": 1024, "stroke_points_max": 100_000, "frame_bytes_max": 32768, "room": "Harbour", "name": "Ada"}),
            Frames::welcome(&welcome),
        ),
        server(
            "roster",
            json!({"replace": true, "entries": [
            {"member": 1, "here": true, "role": 2, "name": "Grace"}, {"member": 2, "here": false, "role": 0, "name": "Ada"}]}),
            Frames::roster(true, entries.iter()),
        ),
        server(
            "snapshot begin",
            json!({"seq": 258, "parts": 3, "records": 70_000, "bytes": 65_536}),
            Frames::snapshot_begin(258, 3, 70_000, 65_536),
        ),
        server(
            "snapshot part",
            json!({"index": 1, "packed": "1f8b"}),
            Frames::snapshot_part(1, &[0x1f, 0x8b]),
        ),
        server(
            "log",
            json!({"first": 258, "at": 1000, "records": [
            {"member": 2, "number": 7, "op": {"kind": "points", "stroke": 5, "ends": true, "points": [[0, 0, 255]]}}]}),
            Frames::log(258, 1_000, 1, &records),
        ),
        server("ack", json!({"number": 7, "seq": 258}), Frames::ack(7, 258)),
        server(
            "refused",
            json!({"number": 8, "code": 20, "text": "The stroke is gone."}),
            Frames::refused(8, Code::StrokeGone, Code::StrokeGone.text()),
        ),
        server("held", json!({"number": 8, "reason": 1}), Frames::held(8, ReadOnly::Quota)),
        server(
            "room state: writable",
            json!({"reason": 0, "used": 258, "quota": 65_536, "text": ""}),
            Frames::room_state(None, 258, 65_536),
        ),
        server(
            "room state: disk full",
            json!({"reason": 2, "used": 258, "quota": 65_536, "text": ReadOnly::Disk.text()}),
            Frames::room_state(Some(ReadOnly::Disk), 258, 65_536),
        ),
        server(
            "cursors",
            json!({"replace": false, "entries": [
            {"member": 1, "x": 160, "y": -32, "state": 2}, {"member": 2, "x": 0, "y": 0, "state": 0}]}),
            Frames::cursors(false, cursors.iter()),
        ),
        server("pong", json!({"nonce": "513", "now": 1000}), Frames::pong(513, 1_000)),
        server(
            "error: kicked",
            json!({"code": 6, "fatal": true, "retry_ms": 0, "text": "out"}),
            Frames::error(Code::Kicked, "out"),
        ),
        server(
            "error: forbidden",
            json!({"code": 3, "fatal": false, "retry_ms": 0, "text": "no"}),
            Frames::error(Code::Forbidden, "no"),
        ),
    ]
}

#[test]
fn every_frame_has_its_golden_bytes() {
    let frames = from_client().into_iter().map(|golden| ("client", golden));
    let frames = frames.chain(from_server().into_iter().map(|golden| ("server", golden)));
    let ours: Vec<Value> = frames
        .map(|(from, golden)| json!({"name": golden.name, "from": from, "value": golden.value, "hex": hex(&golden.bytes)}))
        .collect();
    if env::var_os("ARTNEST_BLESS").is_some() {
        let lines: Vec<String> = ours.iter().map(Value::to_string).collect();
        fs::write(FILE, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let theirs: Vec<Value> = serde_json::from_slice(&fs::read(Path::new(FILE)).unwrap()).unwrap();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn the_examples_of_the_document_are_among_them() {
    let document = include_str!("../../PROTOCOL.md");
    let section = document.split("## Golden bytes").nth(1).unwrap();
    let block = section.split("```text").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let all: Vec<String> =
        from_client().iter().chain(&from_server()).map(|golden| hex(&golden.bytes)).collect();
    let mut examples = 0;
    for example in block.split("\n\n") {
        let words = example.lines().filter(|line| {
            line.split_whitespace().all(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        });
        let bytes: String = words.flat_map(str::split_whitespace).collect();
        assert!(all.contains(&bytes), "{example}");
        examples += 1;
    }
    assert_eq!(examples, 2);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
