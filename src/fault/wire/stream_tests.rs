//! The same rules for RabbitMQ's stream protocol.

use super::*;

fn frame(key: u16, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32 + 4).to_be_bytes();
    [&size[..], &key.to_be_bytes(), &[0, 1], payload].concat()
}

fn publish(ids: &[u64]) -> Vec<u8> {
    let mut payload = vec![7];
    payload.extend((ids.len() as u32).to_be_bytes());
    for id in ids {
        payload.extend(id.to_be_bytes());
        payload.extend([0, 0, 0, 2, b'h', b'i']);
    }
    frame(2, &payload)
}

fn confirm(ids: &[u64]) -> Vec<u8> {
    let mut payload = vec![7];
    payload.extend((ids.len() as u32).to_be_bytes());
    payload.extend(ids.iter().flat_map(|id| id.to_be_bytes()));
    frame(3, &payload)
}

fn link(fault: WireFault, id: &str) -> Link {
    let mut link = Link {
        session: Session::new(Protocol::Stream),
        rules: Rules::default(),
    };
    link.down(&frame(0x8015, &[0, 0, 0, 1, 0, 1]));
    link.rules.arm(id.into(), fault);
    link
}

fn fence(link: &mut Link) {
    let query = link.session.fence().unwrap_or_default();
    assert_eq!(query[4..8], [0, 15, 0, 1]);
    assert_eq!(link.session.phase(), Phase::Fencing);
    link.down(&frame(0x800F, &query[8..]));
    assert_eq!(link.session.phase(), Phase::Over);
}

#[test]
fn the_confirm_frame_with_the_id_is_withheld() {
    let mut link = link(CutBeforeConfirm, "3");
    assert_eq!(link.up(&publish(&[1, 2, 3])), Decision::Forward);
    assert_eq!(link.up(&publish(&[4, 5])), Decision::Forward);
    assert_eq!(link.down(&confirm(&[1])), Decision::Forward);
    link.session.reached();
    assert_eq!(link.down(&confirm(&[2, 3])), Decision::Cut);
    assert_eq!(link.down(&confirm(&[4])), Decision::Drop);
    fence(&mut link);
    assert_eq!(
        link.finish(),
        [strike(CutBeforeConfirm, "3", &["2", "4", "5"], &[])]
    );
}

#[test]
fn turns_are_counted_without_heartbeats() {
    let mut link = link(CutBeforeConfirm, "9");
    let mut turns = |frames: [Vec<u8>; 2]| {
        link.down(&frames[0]);
        link.up(&frames[1]);
        link.session.take_book(false).traffic.turns
    };
    let heartbeat = || frame(23, &[]);
    // What opened the connection was heard before.
    assert_eq!(turns([confirm(&[1]), publish(&[2])]), 1);
    assert_eq!(turns([heartbeat(), publish(&[3])]), 0);
    assert_eq!(turns([confirm(&[2]), heartbeat()]), 0);
    assert_eq!(turns([heartbeat(), publish(&[4])]), 1);
}

#[test]
fn the_publish_frame_with_the_id_is_not_forwarded() {
    let mut link = link(CutBeforePublish, "3");
    assert_eq!(link.up(&publish(&[1])), Decision::Forward);
    assert_eq!(link.up(&publish(&[2, 3])), Decision::Cut);
    fence(&mut link);
    assert_eq!(link.finish(), [strike(CutBeforePublish, "3", &["1"], &[])]);
}

#[test]
fn a_swallowed_confirm_is_left_out_of_its_frame() {
    let mut link = link(SwallowConfirm, "2");
    link.up(&publish(&[1, 2, 3]));
    assert_eq!(
        link.down(&confirm(&[1, 2, 3])),
        Decision::Replace(confirm(&[1, 3]))
    );
    assert_eq!(link.news(), [strike(SwallowConfirm, "2", &[], &[])]);
}

#[test]
fn a_publish_error_is_no_confirm() {
    let mut link = link(CutBeforeConfirm, "1");
    link.up(&publish(&[1]));
    let refused =
        [&[7, 0, 0, 0, 1][..], &1u64.to_be_bytes(), &[0, 18]].concat();
    assert_eq!(link.down(&frame(4, &refused)), Decision::Forward);
    assert_eq!(link.news(), [miss(CutBeforeConfirm, "1", MissReason::Nacked)]);
}
