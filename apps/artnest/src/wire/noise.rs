//! Whatever comes in, a reader says what is wrong with it and takes no more than it was given.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::*;

fn point() -> impl Strategy<Value = Point> {
    (-POSITION_MAX..=POSITION_MAX, -POSITION_MAX..=POSITION_MAX, any::<u8>())
        .prop_map(|(x, y, pressure)| Point { x, y, pressure })
}

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        let bytes = Bytes::from(bytes);
        if let Ok(frame) = ClientFrame::read(&bytes) && !matches!(frame, ClientFrame::OtherVersion(_)) {
            prop_assert_eq!(frame.encode(), bytes.clone());
        }
        let _ = ServerFrame::read(&bytes);
    }

    /// Random bytes rarely get past the type, so begin with one that exists.
    #[test]
    fn frames_of_a_known_type_are_read_or_refused(kind in 1_u8..8, bytes in vec(any::<u8>(), 0..128)) {
        let mut frame = vec![kind];
        frame.extend(bytes);
        let frame = Bytes::from(frame);
        if let Ok(read) = ClientFrame::read(&frame) && !matches!(read, ClientFrame::OtherVersion(_)) {
            prop_assert_eq!(read.encode(), frame);
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_malformed(points in vec(point(), 0..20), cut in 0_usize..100) {
        let writer: PointsWriter = points.into_iter().collect();
        let op = Op::Begin { layer: 0, tool: 0, colour: [1, 2, 3, 4], size: 9, ends: true, points: writer.points() };
        let frame = ClientFrame::ops(1, [op, Op::Undo { stroke: 1 }]).encode();
        let cut = cut.min(frame.len() - 1);
        prop_assert!(ClientFrame::read(&frame.slice(..cut)).is_err());
    }

    #[test]
    fn points_come_out_as_they_went_in(points in vec(point(), 0..2_000)) {
        let mut rest = points.iter().copied().peekable();
        let mut read = Vec::new();
        while rest.peek().is_some() {
            let mut writer = PointsWriter::default();
            while rest.next_if(|&point| writer.push(point)).is_some() {}
            prop_assert!(!writer.points().is_empty());
            read.extend(writer.points().iter());
        }
        prop_assert_eq!(read, points);
    }
}

#[test]
fn a_count_that_promises_more_than_there_is_costs_nothing() {
    let frame = Bytes::from_static(&[2, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0xff, 0x03]);
    assert_eq!(ClientFrame::read(&frame), Err(Malformed("the frame is too short")));
    let roster = Bytes::from_static(&[0x82, 1, 0xff, 0xff, 1]);
    assert!(ServerFrame::read(&roster).is_err());
}

#[test]
fn a_frame_of_one_byte_too_many_is_refused() {
    let exact = vec![0; CLIENT_FRAME_BYTES_MAX + 1];
    assert_eq!(ClientFrame::read(&Bytes::from(exact)), Err(Malformed("the frame is too long")));
}

#[test]
fn positions_that_wrap_around_are_out_of_bounds() {
    let far = PointsWriter::from_iter([Point { x: i32::MAX, y: 0, pressure: 1 }]);
    let op = Op::Points { stroke: 1, ends: false, points: far.points() };
    assert!(!op.is_in_bounds());
}
