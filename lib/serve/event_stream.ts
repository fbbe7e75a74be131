/** What the feeds of server-sent events have in common. @module */

/** The stream of one listener. */
type EventStream = ReadableStreamDefaultController<Uint8Array>;

/** Whether the listener has read what it was sent. */
export function hasRoom({ desiredSize }: EventStream): boolean {
  return (desiredSize ?? 0) > 0;
}

/** Ends a stream because the server stops. One whose reader is stuck is cut off: the server would wait for it. */
export function endAtStop(stream: EventStream): void {
  if (hasRoom(stream)) stream.close();
  else stream.error(new Error("the server is stopping"));
}
