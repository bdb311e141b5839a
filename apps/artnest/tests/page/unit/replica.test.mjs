// A tab's copy of a room: what is drawn here shows at once, and in the end all copies are equal.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ALL_LAYERS } from "../../../page/model/drawing.js";
import { Replica } from "../../../page/model/replica.js";

const SHEET = { width: 100, height: 100 };
const begin = (over = {}) => ({ kind: "begin", layer: 0, eraser: false, rgba: [0, 0, 0, 255], size: 4, ends: true, points: [1, 1, 255], ...over });
const points = (stroke, ends = false, ...xs) => ({ kind: "points", stroke, ends, points: xs.flatMap((x) => [x, x, 255]) });
const undo = (stroke) => ({ kind: "undo", stroke });
const redo = (stroke) => ({ kind: "redo", stroke });
const record = (member, number, op) => ({ member, number, op });

function replica(member) {
  const made = new Replica(SHEET);
  made.member = member;
  return made;
}

/** What the drawing shows: the visible strokes of each layer in order, with their points. */
const shown = ({ drawing }) =>
  drawing.layers.map(({ order }) => order.filter((stroke) => stroke.isVisible).map(({ id, points }) => `${id}:${[...points].length / 3}`));

test("what is drawn here stands above what others drew until the log says where it stands", () => {
  const mine = replica(1);
  mine.draft(1, begin());
  mine.confirm(record(2, 1, begin()));
  assert.deepEqual(shown(mine)[0], ["2.1:1", "1.1:1"]);
  mine.confirm(record(1, 1, begin()));
  mine.confirm(record(2, 2, begin()));
  assert.deepEqual(shown(mine)[0], ["2.1:1", "1.1:1", "2.2:1"]);
});

test("replicas that drew at the same time agree once the log has reached them", () => {
  const [one, two] = [replica(1), replica(2)];
  one.draft(1, begin({ ends: false }));
  two.draft(1, begin());
  one.draft(2, points(1, true, 2, 3));
  two.draft(2, begin({ layer: 2 }));
  const log = [
    record(2, 1, begin()), record(1, 1, begin({ ends: false })), record(2, 2, begin({ layer: 2 })), record(1, 2, points(1, true, 2, 3)),
  ];
  for (const each of log) for (const copy of [one, two]) copy.confirm(each);
  assert.deepEqual(shown(one), shown(two));
  assert.deepEqual(shown(one), [["2.1:1", "1.1:3"], [], ["2.2:1"]]);
});

test("points are neither lost nor doubled by their confirmation", () => {
  const mine = replica(1);
  mine.draft(1, begin({ ends: false }));
  mine.draft(2, points(1, false, 2));
  mine.confirm(record(1, 1, begin({ ends: false })));
  mine.draft(3, points(1, true, 3, 4));
  mine.confirm(record(1, 2, points(1, false, 2)));
  mine.confirm(record(1, 3, points(1, true, 3, 4)));
  assert.deepEqual(shown(mine)[0], ["1.1:4"]);
});

test("a refused Begin takes its stroke back, refused Points only themselves", () => {
  const mine = replica(1);
  mine.draft(1, begin({ ends: false }));
  mine.confirm(record(1, 1, begin({ ends: false })));
  mine.draft(2, points(1, false, 2, 3));
  mine.draft(3, points(1, false, 4));
  mine.draft(4, begin());
  mine.refuse(2);
  assert.deepEqual([...mine.ownStroke(1).points], [1, 1, 255, 4, 4, 255]);
  mine.refuse(4);
  assert.deepEqual(shown(mine)[0], ["1.1:2"]);
});

test("undo hides the last own stroke at once, redo shows it at its old place", () => {
  const mine = replica(1);
  mine.confirm(record(1, 1, begin()));
  mine.confirm(record(2, 1, begin()));
  assert.equal(mine.undoable.number, 1);
  mine.draft(2, undo(1));
  assert.deepEqual(shown(mine)[0], ["2.1:1"]);
  assert.equal(mine.undoable, null);
  mine.draft(3, redo(1));
  assert.deepEqual(shown(mine)[0], ["1.1:1", "2.1:1"]);
  mine.confirm(record(1, 2, undo(1)));
  assert.deepEqual(shown(mine)[0], ["1.1:1", "2.1:1"], "the draft that follows wins");
  mine.confirm(record(1, 3, redo(1)));
  assert.deepEqual(shown(mine)[0], ["1.1:1", "2.1:1"]);
});

test("a refused undo shows the stroke again", () => {
  const mine = replica(1);
  mine.confirm(record(1, 1, begin()));
  mine.draft(2, undo(1));
  mine.refuse(2);
  assert.deepEqual(shown(mine)[0], ["1.1:1"]);
  assert.equal(mine.redoable, null);
});

test("several undos are redone in the opposite order", () => {
  const mine = replica(1);
  for (const number of [1, 2, 3]) mine.draft(number, begin());
  mine.draft(4, undo(mine.undoable.number));
  mine.draft(5, undo(mine.undoable.number));
  assert.equal(mine.redoable.number, 2);
  mine.draft(6, redo(2));
  assert.equal(mine.redoable.number, 3);
});

test("the next Begin of a member forgets their hidden strokes, and nobody else's", () => {
  const mine = replica(1);
  mine.confirm(record(1, 1, begin()));
  mine.confirm(record(2, 1, begin()));
  mine.confirm(record(1, 2, undo(1)));
  mine.confirm(record(2, 2, undo(1)));
  mine.confirm(record(2, 3, begin()));
  assert.ok(mine.drawing.find("1.1"), "mine can still come back");
  assert.equal(mine.drawing.find("2.1"), undefined);
});

test("clearing spares strokes that the server has not ordered, and other layers", () => {
  const mine = replica(1);
  mine.confirm(record(2, 1, begin()));
  mine.confirm(record(2, 2, begin({ layer: 1 })));
  mine.draft(1, begin());
  mine.confirm(record(3, 1, { kind: "clear", layer: 0 }));
  assert.deepEqual(shown(mine), [["1.1:1"], ["2.2:1"], []]);
  mine.confirm(record(3, 2, { kind: "clear", layer: ALL_LAYERS }));
  assert.deepEqual(shown(mine), [["1.1:1"], [], []]);
  mine.confirm(record(2, 3, points(1, false, 5)));
  assert.deepEqual(shown(mine), [["1.1:1"], [], []], "points of a cleared stroke go nowhere");
});

test("after a snapshot that holds what was under way, the log doubles nothing", () => {
  const mine = replica(1);
  mine.draft(1, begin({ ends: false }));
  mine.draft(2, points(1, false, 2));
  mine.reset();
  // The snapshot has the Begin; the Points come in the log; one operation was not sent before.
  mine.confirm(record(1, 1, begin({ ends: false })));
  mine.draft(3, points(1, true, 3));
  mine.confirm(record(1, 2, points(1, false, 2)));
  mine.confirm(record(1, 3, points(1, true, 3)));
  assert.deepEqual(shown(mine)[0], ["1.1:3"]);
});

test("points whose stroke was not there when they were drafted come with the log", () => {
  const mine = replica(1);
  mine.draft(3, points(1, true, 3));
  mine.confirm(record(1, 1, begin({ ends: false })));
  mine.confirm(record(1, 3, points(1, true, 3)));
  assert.deepEqual(shown(mine)[0], ["1.1:2"]);
});

test("locks and sayings are told", () => {
  const told = [];
  const copy = new Replica(SHEET, { said: (saying) => told.push(saying.text), locked: (layer) => told.push(layer) });
  copy.confirm(record(2, 1, { kind: "lock", layer: 1, locked: true }));
  copy.confirm(record(2, 2, { kind: "say", text: "hello" }), 5);
  assert.deepEqual(told, [1, "hello"]);
  assert.ok(copy.drawing.layers[1].locked);
});
